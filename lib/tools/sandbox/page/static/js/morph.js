// Takes over into one element what differs in another, node by node, so that focus, selection and scrolling stay.
const isAlike = (one, other) => one && one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");

export function morph(from, to) {
  if (from.matches("[data-keep]")) return;
  const stays = from.matches("details") ? "open" : ""; // what somebody has opened
  for (const { name, value } of to.attributes) {
    if (name !== stays && from.getAttribute(name) !== value) from.setAttribute(name, value);
  }
  for (const { name } of [...from.attributes]) if (name !== stays && !to.hasAttribute(name)) from.removeAttribute(name);
  if (from.matches("input, textarea") && from.value !== to.value) from.value = to.value;
  if (from.matches("input")) from.checked = to.checked;
  let place = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const keyed = wanted.id ? [...from.children].find((each) => isAlike(each, wanted)) : null;
    const match = keyed ?? (isAlike(place, wanted) ? place : null);
    if (!match) {
      from.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (match === place) place = place.nextSibling;
    else from.insertBefore(match, place);
    if (wanted.nodeType === Node.ELEMENT_NODE) morph(match, wanted);
    else if (wanted.data.startsWith(match.data)) match.appendData(wanted.data.slice(match.data.length));
    else match.data = wanted.data;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
  if (from.matches("select")) from.value = to.value;
}
