/* Live updates for the pages of one site, where Frappe comes without its own socket.io server: hands on what
   `frappe/realtime.py` publishes in Redis, to whoever may read it.

   FRAPPE_SITE, FRAPPE_SOCKETIO_PORT and FRAPPE_REDIS_QUEUE say for which site, where to listen, and to what. */

const { createServer } = require("http");
const { createClient } = require("@redis/client");
const { Server } = require("socket.io");

const { FRAPPE_SITE, FRAPPE_SOCKETIO_PORT, FRAPPE_REDIS_QUEUE } = process.env;

const http = createServer();
const io = new Server(http, { cors: { origin: true, credentials: true } });
const site = io.of(`/${FRAPPE_SITE}`);

const doc_room = (doctype, name) => `doc:${doctype}/${name}`;
const open_doc_room = (doctype, name) => `open_doc:${doctype}/${name}`;
const doctype_room = (doctype) => `doctype:${doctype}`;
const task_room = (task_id) => `task_progress:${task_id}`;

/** Ask the site as whoever the page's cookie belongs to; undefined where it refuses. */
async function ask({ handshake }, method, values) {
	const { origin, cookie = "" } = handshake.headers;
	const address = `${origin}/api/method/frappe.realtime.${method}?${new URLSearchParams(values)}`;
	const answer = await fetch(address, { headers: { cookie, accept: "application/json" } });
	return answer.ok ? (await answer.json()).message : undefined;
}

function hostname(address) {
	try {
		return new URL(address).hostname;
	} catch (error) {
		return null;
	}
}

/** Cookies go with a request of any page, so only a page of this machine's own server is listened to. */
function is_own({ handshake }) {
	const { host, origin } = handshake.headers;
	return hostname(origin) === hostname(`http://${host}`);
}

async function authenticate(socket, next) {
	try {
		socket.data = (is_own(socket) && (await ask(socket, "get_user_info"))) || {};
		next(socket.data.user ? undefined : new Error("Unauthorized"));
	} catch (error) {
		console.error(error);
		next(error);
	}
}

async function join_if_allowed(socket, room, method, values) {
	try {
		if (!(await ask(socket, method, values)) || !socket.connected) return false;
		socket.join(room);
		return true;
	} catch (error) {
		console.error(error);
		return false;
	}
}

/** Say in each page with this document who else has it open. */
function tell_viewers(doctype, docname) {
	const room = open_doc_room(doctype, docname);
	const ids = [...(site.adapter.rooms.get(room) || [])];
	const users = [...new Set(ids.map((id) => site.sockets.get(id).data.user))];
	site.to(room).emit("doc_viewers", { doctype, docname, users });
}

function listen_to_documents(socket) {
	const opened = new Map();
	const joins = (room, doctype, docname) =>
		join_if_allowed(socket, room, "can_subscribe_doc", { doctype, docname });

	socket.on("doc_subscribe", (doctype, name) => joins(doc_room(doctype, name), doctype, name));
	socket.on("doc_unsubscribe", (doctype, name) => socket.leave(doc_room(doctype, name)));
	socket.on("doc_open", async (doctype, name) => {
		const room = open_doc_room(doctype, name);
		if (!(await joins(room, doctype, name))) return;
		opened.set(room, [doctype, name]);
		tell_viewers(doctype, name);
	});
	socket.on("doc_close", (doctype, name) => {
		const room = open_doc_room(doctype, name);
		socket.leave(room);
		if (opened.delete(room)) tell_viewers(doctype, name);
	});
	socket.on("disconnect", () => opened.forEach((names) => tell_viewers(...names)));
}

function listen_to(socket) {
	const { user, user_type } = socket.data;
	socket.join([`user:${user}`, "website", ...(user_type === "System User" ? ["all"] : [])]);

	socket.on("doctype_subscribe", (doctype) =>
		join_if_allowed(socket, doctype_room(doctype), "can_subscribe_doctype", { doctype })
	);
	socket.on("doctype_unsubscribe", (doctype) => socket.leave(doctype_room(doctype)));
	for (const event of ["task_subscribe", "progress_subscribe"]) {
		socket.on(event, (task_id) => socket.join(task_room(task_id)));
	}
	socket.on("task_unsubscribe", (task_id) => socket.leave(task_room(task_id)));
	listen_to_documents(socket);
}

function hand_on(text) {
	const { event, message, room, namespace } = JSON.parse(text);
	if (room && namespace === FRAPPE_SITE) site.to(room).emit(event, message);
}

async function main() {
	site.use(authenticate);
	site.on("connection", listen_to);
	const redis = createClient({ url: FRAPPE_REDIS_QUEUE });
	redis.on("error", console.error);
	await redis.connect();
	await redis.subscribe("events", hand_on);
	// Whoever waits for the port finds all of it ready.
	http.listen(Number(FRAPPE_SOCKETIO_PORT), "127.0.0.1");
}

main();
