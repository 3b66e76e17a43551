package move

import (
	"encoding/hex"
	"fmt"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/jsonread"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

// maxReports is how much of each kind an arrival that is read reports at most.
const maxReports = 1 << 16

// ArrivalSchema is that of an arrival document.
const ArrivalSchema = "guise/arrival/v1"

// arrivalDocument is an Arrival in documents; members stand in alphabetical
// order. The traces are not in it: a proof holds those.
type arrivalDocument struct {
	Arrived     bool                 `json:"arrived"`
	Contract    []partDocument       `json:"contract,omitzero"`
	Differences []differenceDocument `json:"differences,omitzero"`
	Host        hostDocument         `json:"host,omitzero"`
	Left        []string             `json:"left,omitzero"`
	Looked      int                  `json:"looked"`
	Refused     []refusalDocument    `json:"refused,omitzero"`
	Schema      string               `json:"schema"`
}

type partDocument struct {
	Errno    int    `json:"errno,omitzero"`
	Field    string `json:"field,omitzero"`
	Hint     string `json:"hint,omitzero"`
	Register string `json:"register"`
	There    string `json:"there"`
	VCPU     int    `json:"vcpu"`
	Wanted   string `json:"wanted"`
}

type refusalDocument struct {
	Errno int    `json:"errno"`
	ID    string `json:"id"`
	Name  string `json:"name"`
	Value string `json:"value"`
	VCPU  int    `json:"vcpu"`
}

type differenceDocument struct {
	Here   string `json:"here"`
	VCPU   int    `json:"vcpu"`
	Wanted string `json:"wanted"`
	What   string `json:"what"`
}

// Marshal writes the arrival as a document. Errnos are Linux's numbers.
func (a *Arrival) Marshal() ([]byte, error) {
	d := arrivalDocument{
		Arrived: a.Arrived(), Looked: a.Looked, Schema: ArrivalSchema,
		Host: newHostDocument(&a.Host),
	}
	for _, r := range a.Contract {
		d.Contract = append(d.Contract, partDocument{int(r.Errno), r.Field, r.Hint, r.Register, number(r.There), r.VCPU, number(r.Wanted)})
	}
	for _, r := range a.Refused {
		d.Refused = append(d.Refused, refusalDocument{int(r.Errno), number(uint64(r.ID)), r.Name, hex.EncodeToString(r.Value), r.VCPU})
	}
	for _, id := range a.Left {
		d.Left = append(d.Left, number(uint64(id)))
	}
	for _, difference := range a.Differences {
		d.Differences = append(d.Differences, differenceDocument{difference.Here, difference.VCPU, difference.Wanted, difference.What})
	}
	data, err := json.Marshal(&d, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(data, '\n'), err
}

// ReadArrival reads an arrival. File names the document in errors, which are
// *guise.DocumentError.
func ReadArrival(file string, data []byte) (*Arrival, error) {
	var d arrivalDocument
	if err := guise.CheckSize(file, data, ArrivalSchema); err != nil {
		return nil, err
	}
	bounds := []*json.Unmarshalers{
		jsonread.List[partDocument](maxReports, "parts of the contract"), jsonread.List[differenceDocument](maxReports, "differences"),
		jsonread.List[refusalDocument](maxReports, "refusals"), jsonread.List[string](maxReports, "registers"),
	}
	if err := jsonread.Into(data, &d, bounds...); err != nil {
		return nil, guise.NewDocumentError(file, data, err)
	}
	a, err := d.arrival()
	if err != nil {
		return nil, &guise.DocumentError{File: file, Message: err.Error()}
	}
	return a, nil
}

func (d *arrivalDocument) arrival() (*Arrival, error) {
	if d.Schema != ArrivalSchema {
		return nil, fmt.Errorf("schema: want %s, there is %q", ArrivalSchema, d.Schema)
	}
	host, err := d.Host.facts()
	if err != nil {
		return nil, err
	}
	a := &Arrival{Looked: d.Looked, Host: host}
	for _, p := range d.Contract {
		wanted, err := parseNumber("wanted", p.Wanted)
		if err != nil {
			return nil, err
		}
		there, err := parseNumber("there", p.There)
		if err != nil {
			return nil, err
		}
		a.Contract = append(a.Contract, vm.Refusal{VCPU: p.VCPU, Register: p.Register, Field: p.Field, Wanted: wanted, There: there, Errno: syscall.Errno(p.Errno), Hint: p.Hint})
	}
	for _, r := range d.Refused {
		id, err := parseNumber("id", r.ID)
		if err != nil {
			return nil, err
		}
		value, err := parseBytes("value", r.Value)
		if err != nil {
			return nil, err
		}
		a.Refused = append(a.Refused, Refusal{r.VCPU, arm64.ID(id), r.Name, value, syscall.Errno(r.Errno)})
	}
	for _, text := range d.Left {
		id, err := parseNumber("left", text)
		if err != nil {
			return nil, err
		}
		a.Left = append(a.Left, arm64.ID(id))
	}
	for _, difference := range d.Differences {
		a.Differences = append(a.Differences, Difference{difference.VCPU, difference.What, difference.Wanted, difference.Here})
	}
	if a.Arrived() != d.Arrived {
		return nil, fmt.Errorf("arrived: %v contradicts the rest", d.Arrived)
	}
	return a, nil
}
