// Times in the reader's zone on hover, with UTC; "3 min ago" stays true while the page is open.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

function words(s) {
	const n = Math.abs(s);
	if (n < 2) return 'now';
	const span = n < 60 ? `${n} s`
		: n < 3600 ? `${Math.floor(n / 60)} min`
		: n < 86400 ? `${Math.floor(n / 3600)} h ${Math.floor(n % 3600 / 60)} min`
		: n < 172800 ? '1 day' : `${Math.floor(n / 86400)} days`;
	return s < 0 ? `${span} ago` : `in ${span}`;
}

export function localTimes(root) {
	for (const el of root.querySelectorAll('time[datetime]')) {
		const at = new Date(el.dateTime);
		if (Number.isNaN(at.valueOf())) continue;
		el.title = `${full.format(at)}\n${el.dateTime.slice(0, 10)} ${el.dateTime.slice(11, 19)} UTC`;
		el.textContent = words(Math.round((at - Date.now()) / 1000));
	}
}

setInterval(() => localTimes(document), 10000);
