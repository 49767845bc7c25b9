// What every page gets; all of it works without, too.
import { localTimes } from './times.js';
import { confirmButtons } from './confirm.js';
import { selectAll } from './select.js';
import { liveRefresh } from './live.js';
import { copyButtons } from './copy.js';
import { tail } from './tail.js';

localTimes(document);
confirmButtons();
selectAll();
copyButtons();
liveRefresh(localTimes);
tail(localTimes);

// The message of a finished action shall not come back with a reload.
const url = new URL(location.href);
if (url.searchParams.has('done')) {
	url.searchParams.delete('done');
	url.searchParams.delete('n');
	history.replaceState(null, '', url);
}
