// What is wrong with how a page looks, as lines: beyond an edge, too small for a finger, cut off. Run in the page by tests.

(() => {
  const SEEN = { visibilityProperty: true, opacityProperty: true };
  const isSeen = (one) => one.checkVisibility(SEEN) && !one.closest(".unseen, .skip, #chart, svg");
  const named = (one) => `${one.tagName.toLowerCase()}${one.id && `#${one.id}`}.${one.className} "${one.textContent.trim().slice(0, 40)}"`;
  // What lies behind an open dialog cannot be used.
  const root = document.querySelector("dialog[open]") ?? document;
  const all = (selector) => [...root.querySelectorAll(selector)].filter(isSeen);

  // The edges that cut something off: the window's, or those of a box that hides what is beyond it and does not scroll.
  const edgesOf = (one) => {
    for (let box = one.parentElement; box && box !== document.body; box = box.parentElement) {
      const { overflowX } = getComputedStyle(box);
      if (/auto|scroll/.test(overflowX)) return null;
      if (/hidden|clip/.test(overflowX)) return box.getBoundingClientRect();
    }
    return { left: 0, right: innerWidth };
  };
  const beyond = all("*").filter((one) => {
    const [edges, box] = [edgesOf(one), one.getBoundingClientRect()];
    return edges && box.width > 0 && (box.right > edges.right + 1 || box.left < edges.left - 1);
  });

  // WCAG 2.5.8: 24 by 24 pixels, or a circle of 24 around the middle that touches no other.
  const targets = all("button, select, input, summary, a[href], [role=slider]").filter((one) => !one.matches("p a"))
    .map((one) => [one, one.getBoundingClientRect()]).filter(([, box]) => box.width > 0 && box.height > 0);
  const small = targets.filter(([one, box]) => {
    if (box.width >= 23.5 && box.height >= 23.5) return false;
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    return targets.some(([other, near]) => other !== one
      && Math.hypot(Math.max(near.left - x, 0, x - near.right), Math.max(near.top - y, 0, y - near.bottom)) < 12);
  }).map(([one]) => one);

  const cut = all("button, label, h1, h2, h3, th, td, p, dt, dd, output, summary, .unit").filter((one) => {
    const { overflowX, textOverflow } = getComputedStyle(one);
    return one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0 && /hidden|clip/.test(overflowX) && textOverflow !== "ellipsis";
  });

  const sideways = document.documentElement.scrollWidth > innerWidth ? [document.body] : [];
  return Object.entries({ beyond, small, cut, sideways }).flatMap(([name, found]) => found.slice(0, 8).map((one) => `${name} ${named(one)}`));
})();
