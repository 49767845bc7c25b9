// Texts marked data-copy get a button that puts them on the clipboard.
export function copyButtons() {
	if (!navigator.clipboard) return;
	for (const text of document.querySelectorAll('[data-copy]')) {
		const button = document.createElement('button');
		Object.assign(button, { type: 'button', textContent: 'Copy', className: 'copy' });
		button.addEventListener('click', async () => {
			try {
				await navigator.clipboard.writeText(text.value ?? text.textContent);
				button.textContent = 'Copied';
			} catch {
				text.select?.();
				button.textContent = 'Press Ctrl+C';
			}
		});
		text.after(button);
	}
}
