// Parts of a page marked data-live are fetched again every few seconds while it is looked at.
const EVERY_MS = 5000;

export function liveRefresh(after) {
	const parts = [...document.querySelectorAll('[data-live]')];
	if (parts.length === 0) return;
	setInterval(async () => {
		if (document.hidden) return;
		// Somebody may be about to press what would be replaced.
		if (parts.some((part) => part.contains(document.activeElement))) return;
		try {
			const answer = await fetch(location.href, { redirect: 'error' });
			if (!answer.ok) return;
			const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
			for (const part of parts) {
				const now = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
				if (now) part.replaceChildren(...now.childNodes);
				after(part);
			}
		} catch {
			// The next try will tell.
		}
	}, EVERY_MS);
}
