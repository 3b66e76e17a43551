package guise

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// MarshalFleet writes many captures as one document that stores each distinct
// view once; equal fleets give equal bytes. Captures keep their names; what is nil is
// no host and left out.
func MarshalFleet(captures []*Capture) []byte {
	views := members{}
	hosts := make([]members, 0, len(captures))
	for _, c := range captures {
		if c == nil {
			continue
		}
		digest := c.ViewDigest()
		if views[digest] == nil {
			views[digest] = c.view()
		}
		host := members{"name": c.Name, "view": digest}
		if captured := c.Captured.members(); len(captured) > 0 {
			host["captured"] = captured
		}
		hosts = append(hosts, host)
	}
	slices.SortStableFunc(hosts, func(a, b members) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return marshalLines(hosts, views)
}

// marshalLines writes a fleet with a line for each host and each view: fleets are
// large, and white space is half of a view.
func marshalLines(hosts []members, views members) []byte {
	line := func(value any) []byte {
		text, err := json.Marshal(value, json.Deterministic(true))
		if err != nil {
			panic(err) // only strings, numbers, lists and maps are put in
		}
		return text
	}
	var b bytes.Buffer
	b.WriteString("{\n  \"hosts\": [")
	separator := "\n    "
	for _, host := range hosts {
		b.WriteString(separator)
		b.Write(line(host))
		separator = ",\n    "
	}
	fmt.Fprintf(&b, "\n  ],\n  \"schema\": %q,\n  \"views\": {", SchemaFleet)
	separator = "\n    "
	for _, digest := range slices.Sorted(maps.Keys(views)) {
		fmt.Fprintf(&b, "%s%q: ", separator, digest)
		b.Write(line(views[digest]))
		separator = ",\n    "
	}
	b.WriteString("\n  }\n}\n")
	return b.Bytes()
}

// ReadFleet reads a fleet document. Captures with the same view share it and
// must not be changed. File names the document in errors, which are
// *DocumentError.
func ReadFleet(file string, data []byte) ([]*Capture, error) {
	r := readers.Get().(*documentReader)
	defer readers.Put(r)
	if err := CheckSize(file, data, SchemaFleet); err != nil {
		return nil, err
	}
	r.reset(file, data)
	ahead := readersAhead{room: r.room / inVain}
	defer ahead.stop()
	var captures []*Capture
	digests := map[*Capture]string{}
	views := map[string]*packedView{}
	schema := false
	r.object("fleet", func(key []byte) {
		switch string(key) {
		case "schema":
			r.schema(SchemaFleet)
			schema = true
		case "hosts":
			r.list("hosts", func() {
				c := &Capture{}
				r.spend(roomOfHost)
				r.object("host", func(key []byte) {
					switch string(key) {
					case "name":
						c.Name = string(r.text("name"))
					case "view":
						digests[c] = string(r.text("view"))
					case "captured":
						r.occasion(&c.Captured)
					default:
						r.unknownKey(key, "host")
					}
				})
				captures = append(captures, c)
			})
		case "views":
			r.object("views", func(digest []byte) {
				name := string(digest)
				views[name] = ahead.view(r)
			})
		default:
			r.unknownKey(key, "fleet")
		}
	})
	if err := r.finishAs(SchemaFleet); err != nil {
		return nil, err
	}
	if !schema {
		return nil, &DocumentError{File: file, Message: "no schema; want " + SchemaFleet}
	}
	for _, digest := range slices.Sorted(maps.Keys(views)) {
		if view := views[digest]; len(view.Setups) == 0 && view.Power == nil {
			return nil, &DocumentError{File: file, Message: "view " + digest + ": has no setups"}
		}
		if there := views[digest].digest; there != digest {
			return nil, &DocumentError{File: file, Message: "view " + digest + ": its digest is " + there + "; the view was changed after the fleet was packed"}
		}
	}
	seen := map[string]bool{}
	for _, c := range captures {
		view := views[digests[c]]
		switch {
		case view == nil:
			return nil, &DocumentError{File: file, Message: "host " + c.Name + ": its view " + digests[c] + " is not in the document"}
		case c.Name == "" || seen[c.Name]:
			return nil, &DocumentError{File: file, Message: "host " + c.Name + ": want a name of its own"}
		}
		seen[c.Name] = true
		c.Host, c.Setups, c.Complete, c.Power = view.Host, view.Setups, view.Complete, view.Power
		c.packed = view
	}
	return captures, nil
}
