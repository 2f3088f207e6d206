// Puts the page together: a connection, what it shows, and the controls around it.

import "./without_video.js";

import { Connection } from "./connection.js";
import { Controls } from "./controls.js";
import { Paste } from "./paste.js";
import { Share } from "./share.js";
import { SoftKeyboard } from "./soft_keyboard.js";
import * as memory from "./memory.js";
import * as screen from "./screen.js";
import { View } from "./view.js";

const query = new URLSearchParams(location.search);
const given = query.get("token");
// the token is a key: it is not to be seen, bookmarked or sent on
history.replaceState(null, "", location.pathname);

const view = new View();
const connection = new Connection(document.getElementById("screen"), { onChange: show, onScreen: screen.prepare });
const controls = new Controls(connection);
const paste = new Paste(connection);
const share = new Share(connection);
const softKeyboard = new SoftKeyboard(connection, view);

function show() {
    view.show(connection);
    if (connection.resume !== null) {
        memory.tab.set("resume", connection.resume);
    }
    for (const part of [controls, paste, share, softKeyboard]) {
        part.show();
    }
}

view.onRetry = () => connection.retry();
screen.keepKeyboardWithin(document.getElementById("screen"), () => {
    controls.focus();
    view.say("The keyboard is the page's again.");
});

const token = given || memory.tab.get("resume");
if (given) {
    memory.tab.set("links", []);
}
if (token) {
    connection.open(token);
} else {
    connection.refuse("This address has no token in it. Ask for a new one: openstack console url show SERVER.");
}
