package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise/internal/jsonread"
)

// traceDocument is a Trace in documents. Members stand in alphabetical order,
// which makes the output canonical.
type traceDocument struct {
	EL      int              `json:"el"`
	Program string           `json:"program"`
	Records []recordDocument `json:"records"`
}

// traceRead is a traceDocument whose records were read one by one.
type traceRead struct {
	EL      int      `json:"el"`
	Program string   `json:"program"`
	Records []Record `json:"records"`
}

// maxRecords is how many records a trace that is read has at most. Programs have
// some hundreds of operations.
const maxRecords = 1 << 16

type recordDocument struct {
	Address     string   `json:"address,omitzero"`
	Instruction *int     `json:"instruction,omitzero"`
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Outcome     string   `json:"outcome"`
	Syndrome    string   `json:"syndrome,omitzero"`
	Values      []string `json:"values,omitzero"`
}

// MarshalJSONTo writes the canonical form used in proof documents: members
// sorted, values as 0x and 16 hexadecimal digits. A record has values where its
// operation completed, a syndrome where it took an exception, the position of
// the instruction that took it where that is not the first, and the fault
// address where the exception has one.
func (t *Trace) MarshalJSONTo(out *jsontext.Encoder) error {
	document := traceDocument{EL: t.EL, Program: t.Program, Records: make([]recordDocument, len(t.Records))}
	for i := range t.Records {
		document.Records[i] = t.Records[i].document()
	}
	return json.MarshalEncode(out, &document)
}

func (r *Record) document() recordDocument {
	d := recordDocument{Kind: r.Kind.String(), Name: r.Name, Outcome: r.Outcome.String()}
	switch r.Outcome {
	case Completed:
		for _, value := range r.Values[:r.Count] {
			d.Values = append(d.Values, formatValue(value))
		}
	case Exception, Interrupted:
		d.Syndrome = formatValue(r.Syndrome)
		if r.Instruction != 0 {
			d.Instruction = &r.Instruction
		}
		if hasFaultAddress(r.Syndrome) {
			d.Address = formatValue(r.FaultAddress)
		}
	}
	return d
}

// UnmarshalJSONFrom reads what MarshalJSONTo writes. Unknown and duplicate
// members, unknown words and values that are not 0x and 16 lower-case
// hexadecimal digits are errors.
func (t *Trace) UnmarshalJSONFrom(in *jsontext.Decoder) error {
	var document traceRead
	bounds := json.JoinUnmarshalers(
		jsonread.ListFunc(maxRecords, "records", readRecord),
		jsonread.List[string](maxRecords*MaxValues, "values"),
		jsonread.Integers(),
	)
	if err := json.UnmarshalDecode(in, &document, json.RejectUnknownMembers(true), json.WithUnmarshalers(bounds)); err != nil {
		return err
	}
	if document.Program == "" || document.Records == nil {
		return fmt.Errorf("trace: want the members el, program and records")
	}
	if document.EL != 1 && document.EL != 2 {
		return fmt.Errorf("trace of program %s: el is %d; a guest runs at 1 or 2", document.Program, document.EL)
	}
	*t = Trace{Program: document.Program, EL: document.EL, Records: document.Records}
	return nil
}

// readRecord reads one record of a trace.
func readRecord(in *jsontext.Decoder, to *Record) error {
	var document recordDocument
	if err := json.UnmarshalDecode(in, &document); err != nil {
		return err
	}
	if err := document.record(to); err != nil {
		return fmt.Errorf("%s %s: %w", document.Kind, document.Name, err)
	}
	return nil
}

func (d *recordDocument) record(r *Record) error {
	kind := slices.Index(kindNames[:], d.Kind)
	if kind < 0 {
		return fmt.Errorf("kind %q; want one of %s", d.Kind, strings.Join(kindNames[:], ", "))
	}
	outcome := slices.Index(outcomeNames[:], d.Outcome)
	if outcome < 0 {
		return fmt.Errorf("outcome %q; want one of %s", d.Outcome, strings.Join(outcomeNames[:], ", "))
	}
	if d.Name == "" {
		return fmt.Errorf("no name")
	}
	*r = Record{Kind: Kind(kind), Name: d.Name, Outcome: Outcome(outcome), Count: len(d.Values)}
	tookException := r.Outcome == Exception || r.Outcome == Interrupted
	switch {
	case len(d.Values) > 0 && r.Outcome != Completed:
		return fmt.Errorf("values of an operation whose outcome is %q", d.Outcome)
	case len(d.Values) > MaxValues:
		return fmt.Errorf("%d values; a record holds at most %d", len(d.Values), MaxValues)
	case tookException != (d.Syndrome != ""):
		return fmt.Errorf("outcome %q and syndrome %q do not belong together", d.Outcome, d.Syndrome)
	case d.Instruction != nil && (!tookException || *d.Instruction == 0 || *d.Instruction < -1):
		return fmt.Errorf("instruction %d; want the position, if not 0, of the instruction that took an exception", *d.Instruction)
	}
	if d.Instruction != nil {
		r.Instruction = *d.Instruction
	}
	for i, text := range d.Values {
		if err := parseValue(text, &r.Values[i]); err != nil {
			return err
		}
	}
	if tookException {
		if err := parseValue(d.Syndrome, &r.Syndrome); err != nil {
			return err
		}
	}
	if hasAddress := tookException && hasFaultAddress(r.Syndrome); hasAddress != (d.Address != "") {
		return fmt.Errorf("address %q; want one where the syndrome is that of an abort, and only there", d.Address)
	}
	if d.Address != "" {
		return parseValue(d.Address, &r.FaultAddress)
	}
	return nil
}

func formatValue(value uint64) string { return fmt.Sprintf("0x%016x", value) }

func parseValue(text string, value *uint64) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 64)
	if err != nil || formatValue(n) != text {
		return fmt.Errorf("value %q; want 0x and 16 lower-case hexadecimal digits", text)
	}
	*value = n
	return nil
}
