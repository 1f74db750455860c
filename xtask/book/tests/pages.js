// What `pages.rs` asks a page. It is there before the page's own scripts are.
'use strict';
const first = selector => document.querySelector(selector);
const all = selector => [...document.querySelectorAll(selector)];
const check = {
    // What is wider than the window and doesn't scroll within itself.
    wide() {
        for (const details of all('details')) Object.assign(details, {hidden: false, open: true});
        return all('#mdbook-page-wrapper *')
            .filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
            .filter(e => !e.parentElement.closest('pre, .scroll, .table-wrapper'))
            .map(e => `${e.localName}.${e.className} is wider than ${innerWidth} pixels`);
    },
    // Numbers that are on two lines.
    split: () => all('.whole').filter(e => e.getClientRects().length > 1).map(e => `${e.textContent} is split`),
    targets: () => all('a[href], img').map(e => e.href || e.src),
    ids: () => all('[id]').map(e => e.id),
    next: () => first('.turn [rel=next]')?.getAttribute('href'),

    // Of each tick of each box in the first timeline: when it ends, and whether it is to be seen. What is
    // clipped can't be hit.
    shown() {
        const svg = first('.timeline svg');
        svg.scrollIntoView({block: 'center'});
        const tick = Number(svg.dataset.tick);
        return [...svg.querySelectorAll('.strip rect:not(.now)')].flatMap(box => {
            box.style.pointerEvents = 'all';
            const [from, ticks] = ['x', 'width'].map(name => Math.round(box.getAttribute(name) / tick));
            return Array.from({length: ticks}, (_, at) => {
                const middle = new DOMPoint((from + at + 0.5) * tick, 4).matrixTransform(box.getScreenCTM());
                return [from + at + 1, document.elementFromPoint(middle.x, middle.y) === box];
            });
        });
    },
    answered: () => [...first('.steps output').textContent.matchAll(/(\d+) answered/g)].map(found => +found[1]),
    asked: () => all('.panel').map(panel => panel.querySelectorAll('.strip').length),
    // Plays three ticks, and says which.
    play: () => new Promise(resolve => {
        const [play, status, seen] = [first('.steps button'), first('.steps output'), []];
        new MutationObserver(() => {
            seen.push(status.textContent.split(' · ')[0]);
            if (seen.length === 3) {
                play.click();
                resolve(seen);
            }
        }).observe(status, {childList: true});
        play.click();
    }),

    isOffered: () => first('.prediction').checkVisibility(),
    isOpen: () => first('.prediction p').checkVisibility(),
    // What the last chapter's table says of a chapter's guess.
    guessOf: chapter => all('tr').find(row => row.cells[0].textContent === chapter)?.querySelector('.said')?.textContent,

    async copied(blocks) {
        const copied = [];
        for (const code of all(blocks)) {
            code.parentElement.querySelector('.clip-button').click();
            copied.push(await navigator.clipboard.readText());
        }
        return copied;
    },

    // Where the search leads to, once it has looked.
    found: () => new Promise(resolve => {
        const said = first('#mdbook-searchresults-header');
        const look = () => said.textContent && resolve(all('#mdbook-searchresults a').map(a => a.href));
        new MutationObserver(look).observe(said, {childList: true, characterData: true, subtree: true});
        look();
    }),
};
