// What the page remembers: within this tab what a reload needs, and on this computer what its user likes.

const TAB = "syros-console";
const LIKES = "syros-console-likes";

/** The tab's: `resume`, a token of one use, and the links made here, without their URLs. */
export const tab = box(() => sessionStorage, TAB);

/** The user's: `layout` and `scale`. */
export const likes = box(() => localStorage, LIKES);

// a browser may keep nothing, by its settings: then nothing outlasts the page
function box(storage, key) {
    let values = {};
    try {
        values = JSON.parse(storage().getItem(key) ?? "{}") ?? {};
    } catch {
        values = {};
    }
    return {
        get: (name) => values[name],
        set(name, value) {
            values[name] = value;
            try {
                storage().setItem(key, JSON.stringify(values));
            } catch {
                // kept in `values` alone
            }
        },
    };
}
