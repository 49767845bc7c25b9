// <button data-confirm="..."> asks in a dialog instead of on a page of its own.
export function confirmButtons() {
	for (const button of document.querySelectorAll('button[data-confirm]'))
		button.addEventListener('click', (event) => {
			event.preventDefault();
			ask(button);
		});
}

function element(tag, text, className) {
	const el = document.createElement(tag);
	el.textContent = text;
	if (className) el.className = className;
	return el;
}

function hidden(form, name, value) {
	const input = document.createElement('input');
	Object.assign(input, { type: 'hidden', name, value });
	form.append(input);
}

function ask(button) {
	const dialog = document.createElement('dialog');
	const buttons = element('div', '', 'buttons');
	const yes = element('button', button.textContent, 'danger');
	const no = element('button', 'Cancel');
	buttons.append(yes, no);
	dialog.append(element('p', button.dataset.confirm), buttons);
	document.body.append(dialog);
	no.addEventListener('click', () => dialog.close());
	yes.addEventListener('click', () => {
		hidden(button.form, button.name, button.value);
		hidden(button.form, 'sure', '1');
		button.form.submit();
	});
	dialog.addEventListener('close', () => dialog.remove());
	dialog.showModal();
	no.focus();
}
