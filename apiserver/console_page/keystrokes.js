// From a text to the keys that type it on a guest whose layout is known. Nothing is sent here.

import keysyms from "./novnc/core/input/keysymdef.js";
import KeyTable from "./novnc/core/input/keysym.js";

import { layout } from "./layouts.js";

const SHIFT = { code: "ShiftLeft", keysym: KeyTable.XK_Shift_L };
const ALTGR = { code: "AltRight", keysym: KeyTable.XK_ISO_Level3_Shift };
// X11's keysymdef.h: dead_grave, dead_acute, dead_circumflex, dead_diaeresis
const DEAD = { "\u0300": 0xfe50, "\u0301": 0xfe51, "\u0302": 0xfe52, "\u0308": 0xfe57 };
const CONTROLS = { "\n": KeyTable.XK_Return, "\t": KeyTable.XK_Tab };

/**
 * Say how a text is typed: `strokes`, one for each character, each with its `events` (code, keysym, down) after which
 * all keys are up again; and `missing`, the characters that the layout can't type, each once. Lines may end in any way.
 */
export function plan(text, name) {
    const known = layout(name);
    const strokes = [];
    const missing = new Set();
    for (const character of text.replace(/\r\n?/g, "\n").normalize("NFC")) {
        const events = eventsOf(character, known);
        if (events === null) {
            missing.add(character);
        } else {
            strokes.push({ character, events });
        }
    }
    return { strokes, missing: [...missing] };
}

/** Name a character that can't be typed, in print. */
export function nameOf(character) {
    const code = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    return /[\p{C}\p{Z}\p{M}]/u.test(character) ? code : `${character} (${code})`;
}

function eventsOf(character, known) {
    const way = known.direct.get(character);
    if (way) {
        return press(way, keysymOf(character));
    }
    const alone = known.spaces.get(character);
    if (alone) {
        return [...press(alone, DEAD[alone.mark]), ...eventsOf(" ", known)];
    }
    const [letter, mark, ...more] = character.normalize("NFD");
    const dead = known.marks.get(mark);
    const under = known.direct.get(letter);
    if (!dead || !under || more.length > 0) {
        return null;
    }
    return [...press(dead, DEAD[mark]), ...press(under, keysymOf(letter))];
}

function press(way, keysym) {
    const held = [...(way.shift ? [SHIFT] : []), ...(way.altgr ? [ALTGR] : [])];
    const key = { code: way.key, keysym };
    return [
        ...held.map((each) => ({ ...each, down: true })),
        { ...key, down: true },
        { ...key, down: false },
        ...held.reverse().map((each) => ({ ...each, down: false })),
    ];
}

function keysymOf(character) {
    return CONTROLS[character] ?? keysyms.lookup(character.codePointAt(0));
}
