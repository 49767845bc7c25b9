// Times in the reader's zone, with UTC on hover. Without this they are there in UTC.
// <time datetime> says "3 min ago", which stays true while the page is open; data-show asks for
// the moment itself: "second" and "minute" with the date, "clock" without.
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

const two = (n) => String(n).padStart(2, '0');
const date = (t) => `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
const shapes = {
	clock: (t) => `${two(t.getHours())}:${two(t.getMinutes())}`,
	minute: (t) => `${date(t)} ${shapes.clock(t)}`,
	second: (t) => `${shapes.minute(t)}:${two(t.getSeconds())}`,
};

export function localTimes(root) {
	for (const el of root.querySelectorAll('time[datetime]')) {
		const at = new Date(el.dateTime);
		if (Number.isNaN(at.valueOf())) continue;
		el.title = `${full.format(at)}\n${el.dateTime.slice(0, 10)} ${el.dateTime.slice(11, 19)} UTC`;
		const shape = shapes[el.dataset.show];
		el.textContent = shape ? shape(at) : words(Math.round((at - Date.now()) / 1000));
	}
	// Tooltips of chart columns begin with the time.
	for (const el of root.querySelectorAll('title[data-at]')) {
		const at = new Date(el.dataset.at);
		el.textContent = el.textContent.replace(/^.*? UTC: /, `${shapes.minute(at)}: `);
	}
}

setInterval(() => localTimes(document), 10000);
