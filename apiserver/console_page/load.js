// Loads the parts of the page. Where one of them does not come, the page is loaded again, a few times: they are some fifty
// files, and without all of them it would say "Connecting" for ever. The token is in the address until they are there.

const PATIENCE = 20_000;
const PAUSE = 1000;
const MOST = 3;
const KEY = "syros-console-loads";

let again = null;
const late = window.setTimeout(failed, PATIENCE);
import("./main.js").then(() => {
    window.clearTimeout(late);
    window.clearTimeout(again);
    remember(0);
}, failed);

function failed() {
    window.clearTimeout(late);
    if (again !== null) {
        return;
    }
    const tried = remembered();
    if (tried < MOST) {
        remember(tried + 1);
        again = window.setTimeout(() => location.reload(), PAUSE);
        return;
    }
    remember(0);
    document.getElementById("state").textContent = "Ended";
    document.getElementById("spinner").hidden = true;
    document.getElementById("notice-title").textContent = "The page can't be loaded";
    document.getElementById("notice-words").textContent = "Part of it does not come from the cloud. Reload it in a while.";
}

function remembered() {
    try {
        return Number(sessionStorage.getItem(KEY));
    } catch {
        return MOST; // what is not counted would go on and on
    }
}

function remember(tried) {
    try {
        sessionStorage.setItem(KEY, String(tried));
    } catch {
        // then there is no second time
    }
}
