"use strict";

/** Changes what is on the page into what should be there, and touches nothing that is so already: a reader keeps the
 * place, the focus, and what was opened, and a screen reader hears of changes only. */
const renew = (() => {
  // Which details are open is the reader's doing.
  const READERS = ["open"];

  /** Make the children of *element* look like *children*; null is left out. */
  function children(element, ...fresh) {
    const wanted = fresh.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
    const nodes = wanted.map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
    const present = [...element.childNodes];
    nodes.forEach((node, index) => {
      if (index >= present.length) element.append(node);
      else if (present[index].nodeName === node.nodeName) one(present[index], node);
      else present[index].replaceWith(node);
    });
    for (const surplus of present.slice(nodes.length)) surplus.remove();
  }

  function one(old, fresh) {
    if (old instanceof Text) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !READERS.includes(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    children(old, [...fresh.childNodes]);
  }

  return { children };
})();
