// One box that ticks all rows of the page.
export function selectAll() {
	const master = document.querySelector('[data-select-all]');
	if (!master) return;
	const boxes = [...document.querySelectorAll('input[name=pick]')];
	master.closest('label').classList.remove('off'); // its room is kept, so that nothing moves
	master.addEventListener('change', () => {
		for (const box of boxes) box.checked = master.checked;
	});
	for (const box of boxes)
		box.addEventListener('change', () => {
			const on = boxes.filter((b) => b.checked).length;
			master.checked = on === boxes.length;
			master.indeterminate = on > 0 && on < boxes.length;
		});
}
