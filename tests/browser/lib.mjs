// What the browser tests and the screenshots share: a mox of its own, an SMTP client and
// peer, and Chromium pages that count what went wrong in them.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const PASSWORD = 'moxadmin';

/** Starts `mox localserve` on a loopback address that is free. */
export async function startMox(...options) {
	const dir = await mkdtemp(path.join(tmpdir(), 'mox-browser-'));
	const ip = `127.${71 + process.pid % 40}.${1 + Math.floor(Math.random() * 250)}.1`;
	const mox = spawn(process.env.MOX ?? './mox', ['localserve', '-ip', ip, '-dir', dir, ...options],
		{ stdio: ['ignore', 'pipe', 'pipe'] });
	let log = '';
	mox.stdout.on('data', (data) => { log += data; });
	mox.stderr.on('data', (data) => { log += data; });
	const ended = new Promise((resolve) => mox.on('exit', resolve));
	for (let i = 0; ; i++) {
		if (mox.exitCode !== null || i > 300) throw new Error(`mox does not start:\n${log}`);
		if (await answers(ip, 1080)) break;
		await sleep(50);
	}
	return {
		dir, ip, base: `http://${ip}:1080/admin/`, secure: `https://${ip}:1443/admin/`,
		log: () => log,
		async stop() {
			mox.kill('SIGTERM');
			const code = await ended;
			await rm(dir, { recursive: true, force: true });
			return code;
		},
	};
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function answers(ip, port) {
	return new Promise((resolve) => {
		const s = net.connect(port, ip, () => { s.destroy(); resolve(true); });
		s.on('error', () => resolve(false));
	});
}

/** Octets to the admin port, as they are; resolves to all that comes back until it is closed. */
export function rawHttp(mox, text, localAddress) {
	return new Promise((resolve, reject) => {
		const s = net.connect({ port: 1080, host: mox.ip, localAddress }, () => s.write(text));
		let got = '';
		s.setTimeout(5000, () => { s.destroy(); reject(new Error(`not closed after: ${got.slice(0, 200)}`)); });
		s.on('data', (data) => { got += data; });
		s.on('error', () => {});
		s.on('close', () => resolve(got));
	});
}

/** One message by SMTP; resolves to the reply to its end. */
export function sendMail(mox, from, to, lines) {
	const commands = ['EHLO test.example', `MAIL FROM:<${from}>`, ...[to].flat().map((a) => `RCPT TO:<${a}>`),
		'DATA', [...lines, '.'].join('\r\n'), 'QUIT'];
	return new Promise((resolve, reject) => {
		const s = net.connect(1025, mox.ip);
		let at = -1, text = '', last = '';
		s.setTimeout(15000, () => s.destroy(new Error('SMTP: no reply')));
		s.on('error', reject);
		s.on('close', () => reject(new Error(`SMTP: closed after ${last}`)));
		s.on('data', (data) => {
			text += data;
			for (let m; (m = /^(?:\d{3}-[^\n]*\n)*(\d{3}) [^\n]*\n/.exec(text)); text = text.slice(m[0].length)) {
				last = m[0];
				if (Number(m[1]) >= 400) { reject(new Error(`SMTP: ${commands[at]}: ${last}`)); s.destroy(); return; }
				if (commands[at] === 'QUIT') continue;
				if (at === commands.length - 2) resolve(last);
				at++;
				s.write(`${commands[at]}\r\n`);
			}
		});
	});
}

/** An SMTP server that answers as told; mails has what it took. */
export async function smtpPeer(replies = {}) {
	const mails = [];
	const server = net.createServer((s) => {
		let text = '', data = false;
		s.on('error', () => {});
		s.write('220 peer.example ESMTP\r\n');
		s.on('data', (chunk) => {
			text += chunk;
			for (;;) {
				const end = data ? text.indexOf('\r\n.\r\n') : text.indexOf('\r\n');
				if (end < 0) return;
				const piece = text.slice(0, end);
				text = text.slice(end + (data ? 5 : 2));
				if (data) {
					mails.push(piece);
					data = false;
					s.write('250 2.0.0 taken\r\n');
					continue;
				}
				const verb = piece.slice(0, 4).toUpperCase();
				const reply = replies[verb] ?? { EHLO: '250-peer.example\r\n250 8BITMIME', DATA: '354 go on', QUIT: '221 bye' }[verb] ?? '250 2.0.0 ok';
				data = verb === 'DATA' && reply.startsWith('354');
				s.write(`${reply}\r\n`);
				if (verb === 'QUIT') s.end();
			}
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return { mails, replies, port: server.address().port, close: () => server.close() };
}

export async function startBrowser() {
	return chromium.launch({
		executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
		args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--disable-sync'],
	});
}

/** A page in a context of its own. page.wrong collects console errors, CSP violations, uncaught
 * exceptions and dialogs: none may happen. */
export async function newPage(browser, { width = 1300, dark = false, js = true } = {}) {
	const context = await browser.newContext({
		viewport: { width, height: 900 }, colorScheme: dark ? 'dark' : 'light',
		javaScriptEnabled: js, ignoreHTTPSErrors: true, timezoneId: 'Europe/Amsterdam', locale: 'en-GB',
	});
	context.setDefaultTimeout(10000);
	const page = await context.newPage();
	page.wrong = [];
	page.on('console', (m) => {
		// A form that is refused answers 4xx, and Chromium notes that as an error of its own.
		if (m.type() === 'error' && !/Failed to load resource.*\b4\d\d\b/.test(m.text())) page.wrong.push(m.text());
	});
	page.on('pageerror', (e) => page.wrong.push(String(e)));
	page.on('dialog', (d) => { page.wrong.push(`dialog: ${d.message()}`); d.dismiss(); });
	return page;
}

export async function login(page, base) {
	await page.goto(`${base}login`);
	await page.fill('#password', PASSWORD);
	await page.click('button:has-text("Log in")');
	await page.waitForSelector('h1:has-text("Overview")');
}

/** Nothing may stick out of the page to the right. */
export async function overflow(page) {
	return page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
}
