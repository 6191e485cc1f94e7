"""The document object model that <data> gives to scripts: DOM Level 2 Core, of which what reads works.

VoiceXML 2.1 Appendix D lists the interfaces. What would change something throws a ``DOMException`` of code 7,
what would make something new one of code 9. A tree comes as nested lists: the name with its namespace
(``{uri}prefix:local``), the attributes, the children; a text is a string, and a comment, a section or an
instruction is a list with a name that no element can have.
"""

from __future__ import annotations

from typing import Final

DOM: Final = r"""
(function (tree) {
  const types = {ELEMENT: 1, ATTRIBUTE: 2, TEXT: 3, CDATA_SECTION: 4, ENTITY_REFERENCE: 5, ENTITY: 6,
    PROCESSING_INSTRUCTION: 7, COMMENT: 8, DOCUMENT: 9, DOCUMENT_TYPE: 10, DOCUMENT_FRAGMENT: 11,
    NOTATION: 12};
  function refuse(prototype, error, names) {
    names.split(" ").forEach(function (name) {
      prototype[name] = function () { throw new DOMException(name + ": data can only be read", error); };
    });
  }
  function List(nodes) {
    const list = this;
    nodes.forEach(function (node, at) { list[at] = node; });
    list.length = nodes.length;
    Object.freeze(list);
  }
  List.prototype.item = function (at) { return at >= 0 && at < this.length ? this[at] : null; };
  function Named(nodes) { List.call(this, nodes); }
  Named.prototype.item = List.prototype.item;
  Named.prototype.getNamedItem = function (name) {
    for (let at = 0; at < this.length; at++) if (this[at].nodeName === name) return this[at];
    return null;
  };
  Named.prototype.getNamedItemNS = function (uri, local) {
    for (let at = 0; at < this.length; at++) {
      if (this[at].localName === local && (this[at].namespaceURI || null) === (uri || null)) return this[at];
    }
    return null;
  };
  refuse(Named.prototype, "NoModificationAllowedError",
    "setNamedItem removeNamedItem setNamedItemNS removeNamedItemNS");
  const known = globalThis.Node;  // of the data before
  const Node = typeof known === "function" && known.prototype.hasChildNodes ? known : function Node() {};
  Node.prototype.hasChildNodes = function () { return this.childNodes.length > 0; };
  Node.prototype.hasAttributes = function () { return !!this.attributes && this.attributes.length > 0; };
  function supported(what, version) {
    const wanted = String(what).toLowerCase();
    return (wanted === "core" || wanted === "xml") && (!version || version === "2.0" || version === "1.0");
  }
  Node.prototype.isSupported = supported;
  Node.prototype.normalize = function () {};  // texts never follow each other here
  refuse(Node.prototype, "NoModificationAllowedError", "insertBefore replaceChild removeChild appendChild");
  refuse(Node.prototype, "NotSupportedError", "cloneNode");
  for (const name in types) {
    Object.defineProperty(Node, name + "_NODE", {value: types[name]});
    Object.defineProperty(Node.prototype, name + "_NODE", {value: types[name]});
  }
  function kind() {
    const made = function () {};
    made.prototype = Object.create(Node.prototype);
    return made;
  }
  const Document = kind(), Element = kind(), Attr = kind(), Data = kind(), Instruction = kind();
  Data.prototype.substringData = function (from, count) {
    if (!(from >= 0 && from <= this.data.length && count >= 0)) {
      throw new DOMException("no such part", "IndexSizeError");
    }
    return this.data.substring(from, from + count);
  };
  refuse(Data.prototype, "NoModificationAllowedError",
    "appendData insertData deleteData replaceData splitText");
  function below(node, fits, found) {
    for (let at = 0; at < node.childNodes.length; at++) {
      const child = node.childNodes[at];
      if (child.nodeType !== 1) continue;
      if (fits(child)) found.push(child);
      below(child, fits, found);
    }
    return found;
  }
  const search = {
    getElementsByTagName(name) {
      return new List(below(this, function (e) { return name === "*" || e.tagName === name; }, []));
    },
    getElementsByTagNameNS(uri, local) {
      return new List(below(this, function (e) {
        return (uri === "*" || (e.namespaceURI || "") === (uri || ""))
          && (local === "*" || e.localName === local);
      }, []));
    },
  };
  refuse(Element.prototype, "NoModificationAllowedError", "setAttribute setAttributeNS setAttributeNode "
    + "setAttributeNodeNS removeAttribute removeAttributeNS removeAttributeNode");
  refuse(Document.prototype, "NotSupportedError", "createElement createElementNS createTextNode "
    + "createComment createCDATASection createProcessingInstruction createAttribute createAttributeNS "
    + "createDocumentFragment createEntityReference importNode");
  Object.assign(Document.prototype, search, {
    implementation: Object.freeze({hasFeature: supported}),
    getElementById(id) {
      const found = below(this, function (e) {
        return e.getAttribute("id") === id || e.getAttribute("xml:id") === id;
      }, []);
      return found.length ? found[0] : null;
    },
  });
  Object.assign(Element.prototype, search, {
    getAttribute(name) { const a = this.attributes.getNamedItem(name); return a ? a.value : ""; },
    getAttributeNS(uri, local) {
      const a = this.attributes.getNamedItemNS(uri, local);
      return a ? a.value : "";
    },
    getAttributeNode(name) { return this.attributes.getNamedItem(name); },
    getAttributeNodeNS(uri, local) { return this.attributes.getNamedItemNS(uri, local); },
    hasAttribute(name) { return this.attributes.getNamedItem(name) !== null; },
    hasAttributeNS(uri, local) { return this.attributes.getNamedItemNS(uri, local) !== null; },
  });
  function start(type, name, value, owner, parent) {
    const prototypes = {1: Element, 2: Attr, 7: Instruction, 9: Document};
    const node = new (prototypes[type] || Data)();
    node.nodeType = type; node.nodeName = name; node.nodeValue = value; node.ownerDocument = owner;
    node.parentNode = parent; node.attributes = null; node.namespaceURI = null; node.prefix = null;
    node.localName = null; node.childNodes = new List([]);
    node.firstChild = node.lastChild = node.previousSibling = node.nextSibling = null;
    return node;
  }
  function name(node, written) {
    const parts = /^(?:\{([^}]*)\})?(?:([^:]*):)?(.*)$/.exec(written);
    node.namespaceURI = parts[1] || null; node.prefix = parts[2] || null; node.localName = parts[3];
    node.nodeName = (parts[2] ? parts[2] + ":" : "") + parts[3];
  }
  function text(type, label, value, owner, parent) {
    const node = start(type, label, value, owner, parent);
    node.data = value; node.length = value.length;
    return node;
  }
  function grow(node, children, owner) {
    const made = children.map(function (child) {
      if (typeof child === "string") return text(3, "#text", child, owner, node);
      if (child[0] === "<!") return text(8, "#comment", child[1], owner, node);
      if (child[0] === "<[") return text(4, "#cdata-section", child[1], owner, node);
      if (child[0] === "<?") {
        const one = text(7, child[1], child[2], owner, node);
        one.target = child[1];
        return one;
      }
      return element(child, owner, node);
    });
    for (let at = 0; at < made.length; at++) {
      made[at].previousSibling = made[at - 1] || null;
      made[at].nextSibling = made[at + 1] || null;
      Object.freeze(made[at]);
    }
    node.childNodes = new List(made);
    node.firstChild = made[0] || null;
    node.lastChild = made[made.length - 1] || null;
  }
  function element(raw, owner, parent) {
    const node = start(1, "", null, owner, parent);
    name(node, raw[0]);
    node.tagName = node.nodeName;
    node.attributes = new Named(raw[1].map(function (pair) {
      const one = start(2, "", pair[1], owner, null);
      name(one, pair[0]);
      one.name = one.nodeName; one.value = pair[1]; one.specified = true; one.ownerElement = node;
      return Object.freeze(one);
    }));
    grow(node, raw[2], owner);
    return node;
  }
  if (Node !== known) Object.defineProperty(globalThis, "Node", {value: Node});
  const page = start(9, "#document", null, null, null);
  grow(page, [tree], page);
  page.documentElement = page.firstChild;
  page.doctype = null;
  return Object.freeze(page);
})
"""
