package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise/internal/jsonread"
)

// trapsDocument is Traps in documents. Members stand in alphabetical order.
type trapsDocument struct {
	NotTrapped map[string][]string `json:"notTrapped,omitzero"`
	RestsOn    *string             `json:"restsOn,omitzero"`
	Trapped    map[string][]string `json:"trapped,omitzero"`
	Unknown    *string             `json:"unknown,omitzero"`
}

// MarshalJSONTo writes the canonical form used in proof documents.
func (t *Traps) MarshalJSONTo(out *jsontext.Encoder) error {
	document := trapsDocument{Trapped: t.Trapped.document(), NotTrapped: t.NotTrapped.document()}
	if t.Unknown != "" {
		document.Unknown = &t.Unknown
	} else {
		document.RestsOn = &t.RestsOn
	}
	return json.MarshalEncode(out, &document, json.Deterministic(true))
}

func (o Operations) document() map[string][]string {
	if len(o) == 0 {
		return nil
	}
	document := make(map[string][]string, len(o))
	for kind, names := range o {
		document[kind.String()] = names
	}
	return document
}

// UnmarshalJSONFrom reads what MarshalJSONTo writes. Unknown members and kinds
// are errors, and so is an operation that stands in it twice.
func (t *Traps) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	var document trapsDocument
	bounds := json.JoinUnmarshalers(
		jsonread.Map[[]string](2*len(kindNames), "kinds of operations"), jsonread.List[string](maxRecords, "operations"),
	)
	if err := json.UnmarshalDecode(in, &document, json.RejectUnknownMembers(true), json.WithUnmarshalers(bounds)); err != nil {
		return err
	}
	var traps Traps
	switch {
	case document.RestsOn != nil && document.Unknown == nil:
		traps.RestsOn = *document.RestsOn
	case document.RestsOn == nil && document.Unknown != nil:
		traps.Unknown = *document.Unknown
	}
	if traps.RestsOn == "" && traps.Unknown == "" {
		return fmt.Errorf("traps: want either restsOn, what they rest on, or unknown, why there are none")
	}
	for _, list := range []struct {
		from map[string][]string
		to   *Operations
	}{{document.Trapped, &traps.Trapped}, {document.NotTrapped, &traps.NotTrapped}} {
		if list.from != nil && traps.Unknown != "" {
			return fmt.Errorf("traps: want no operations where they are not known")
		}
		if err := readOperations(list.from, list.to); err != nil {
			return fmt.Errorf("traps: %w", err)
		}
	}
	if err := traps.check(); err != nil {
		return fmt.Errorf("traps: %w", err)
	}
	*t = traps
	return nil
}

func readOperations(from map[string][]string, to *Operations) error {
	for word, names := range from {
		kind := slices.Index(kindNames[:], word)
		if kind < 0 {
			return fmt.Errorf("kind %q; want one of %s", word, strings.Join(kindNames[:], ", "))
		}
		for _, name := range names {
			if name == "" {
				return fmt.Errorf("an operation of kind %s has no name", word)
			}
			to.Add(Kind(kind), name)
		}
	}
	return nil
}
