// Keyboard layouts of guests: which key, by its place, gives which character, alone, with Shift, AltGr, or both.
//
// They are as X has them, and by that Debian's console and every desktop of Linux. A row names the characters of its keys in turn; ␣ is none, or a
// dead key, which `dead` lists: the mark that it puts on the next letter, and what it gives with a space, where all
// systems agree about that.

const NONE = "␣";

const KEYS = [
    "Backquote Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal",
    "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight",
    "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backslash",
    "IntlBackslash KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash",
].map((row) => row.split(" "));

const GRAVE = "\u0300";
const ACUTE = "\u0301";
const CIRCUMFLEX = "\u0302";
const DIAERESIS = "\u0308";

const US = [
    ["`1234567890-=", "qwertyuiop[]", "asdfghjkl;'\\", "␣zxcvbnm,./"],
    ["~!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"|', "␣ZXCVBNM<>?"],
];

const GERMAN = [
    ["␣1234567890ß␣", "qwertzuiopü+", "asdfghjklöä#", "<yxcvbnm,.-"],
    ['°!"§$%&/()=?␣', "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ'", ">YXCVBNM;:_"],
    ["␣␣²³␣␣␣{[]}\\␣", "@␣€␣␣␣␣␣␣␣␣~", "␣␣␣␣␣␣␣␣␣␣␣␣", "|␣␣␣␣␣␣µ␣␣␣"],
];

const GERMAN_DEAD = [
    { key: "Backquote", shift: false, mark: CIRCUMFLEX, space: "^" },
    { key: "Equal", shift: false, mark: ACUTE },
    { key: "Equal", shift: true, mark: GRAVE, space: "`" },
];

const LEVELS = {
    us: US,
    gb: [
        ["`1234567890-=", "qwertyuiop[]", "asdfghjkl;'#", "\\zxcvbnm,./"],
        ['¬!"£$%^&*()_+', "QWERTYUIOP{}", "ASDFGHJKL:@~", "|ZXCVBNM<>?"],
        ["␣␣␣␣€␣␣␣␣␣␣␣␣", "␣␣␣␣␣␣␣␣␣␣␣␣", "␣␣␣␣␣␣␣␣␣␣␣␣", "␣␣␣␣␣␣␣␣␣␣␣"],
    ],
    de: GERMAN,
    "de-nodeadkeys": GERMAN,
    fr: [
        ["²&é\"'(-è_çà)=", "azertyuiop␣$", "qsdfghjklmù*", "<wxcvbn,;:!"],
        ["␣1234567890°+", "AZERTYUIOP␣£", "QSDFGHJKLM%µ", ">WXCVBN?./§"],
        ["␣␣~#{[|`\\^@]}", "␣␣€␣␣␣␣␣␣␣␣¤", "␣␣␣␣␣␣␣␣␣␣␣␣", "␣␣␣␣␣␣␣␣␣␣␣"],
    ],
    es: [
        ["º1234567890'¡", "qwertyuiop␣+", "asdfghjklñ␣ç", "<zxcvbnm,.-"],
        ['ª!"·$%&/()=?¿', "QWERTYUIOP␣*", "ASDFGHJKLÑ␣Ç", ">ZXCVBNM;:_"],
        ["\\|@#~␣¬␣␣␣␣␣␣", "␣␣€␣␣␣␣␣␣␣[]", "␣␣␣␣␣␣␣␣␣␣{}", "␣␣␣␣␣␣␣␣␣␣␣"],
    ],
    it: [
        ["\\1234567890'ì", "qwertyuiopè+", "asdfghjklòàù", "<zxcvbnm,.-"],
        ['|!"£$%&/()=?^', "QWERTYUIOPé*", "ASDFGHJKLç°§", ">ZXCVBNM;:_"],
        ["␣␣␣␣␣␣␣{␣␣}`~", "␣␣€␣␣␣␣␣␣␣[]", "␣␣␣␣␣␣␣␣␣@#␣", "␣␣␣␣␣␣␣␣␣␣␣"],
    ],
    "gr-latin": US,
    gr: [
        ["`1234567890-=", ";ςερτυθιοπ[]", "ασδφγηξκλ␣'\\", "␣ζχψωβνμ,./"],
        ["~!@#$%^&*()_+", ":␣ΕΡΤΥΘΙΟΠ{}", 'ΑΣΔΦΓΗΞΚΛ␣"|', "␣ΖΧΨΩΒΝΜ<>?"],
    ],
};

const DEAD = {
    de: GERMAN_DEAD,
    fr: [
        { key: "BracketLeft", shift: false, mark: CIRCUMFLEX },
        { key: "BracketLeft", shift: true, mark: DIAERESIS },
    ],
    es: [
        { key: "BracketLeft", shift: false, mark: GRAVE, space: "`" },
        { key: "BracketLeft", shift: true, mark: CIRCUMFLEX, space: "^" },
        { key: "Quote", shift: false, mark: ACUTE },
        { key: "Quote", shift: true, mark: DIAERESIS },
    ],
    gr: [
        { key: "Semicolon", shift: false, mark: ACUTE },
        { key: "Semicolon", shift: true, mark: DIAERESIS },
    ],
};

const DIRECT = {
    "de-nodeadkeys": {
        "^": { key: "Backquote", shift: false, altgr: false },
        "´": { key: "Equal", shift: false, altgr: false },
        "`": { key: "Equal", shift: true, altgr: false },
    },
};

/** What a person chooses from, in this order. */
export const NAMES = {
    us: "English (US)",
    gb: "English (UK)",
    de: "German",
    "de-nodeadkeys": "German, no dead keys",
    fr: "French",
    es: "Spanish",
    it: "Italian",
    "gr-latin": "Greek, while in Latin",
    gr: "Greek, while in Greek",
};

/** Give a layout: `direct` has the way to type a character, `marks` and `spaces` the dead keys, by what they give. */
export function layout(name) {
    const direct = new Map([
        [" ", { key: "Space", shift: false, altgr: false }],
        ["\n", { key: "Enter", shift: false, altgr: false }],
        ["\t", { key: "Tab", shift: false, altgr: false }],
        ...Object.entries(DIRECT[name] ?? {}),
    ]);
    LEVELS[name].forEach((rows, level) => {
        rows.forEach((row, number) => {
            [...row].forEach((character, column) => {
                if (character !== NONE && !direct.has(character)) {
                    const key = KEYS[number][column];
                    direct.set(character, { key, shift: (level & 1) === 1, altgr: (level & 2) === 2 });
                }
            });
        });
    });
    const dead = (DEAD[name] ?? []).map((each) => ({ ...each, altgr: false }));
    return {
        direct,
        marks: new Map(dead.map((each) => [each.mark, each])),
        spaces: new Map(dead.filter((each) => each.space).map((each) => [each.space, each])),
    };
}
