package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
)

// explainCommand names what values mean.
type explainCommand struct {
	What []string `arg:"" help:"A host or a document; REGISTER=VALUE or REGISTER.FIELD=VALUE; a FEAT_ name; or what messages and logs say of registers, - for standard input."`
	// Setup is the key of a captured setup, as "guise lint" and messages give it.
	Setup string `placeholder:"SETUP" help:"Explain this setup of a capture, such as pmu+sve/vgic3; the first unless given."`
	Arch  string `enum:"arm64,power" default:"arm64" help:"Architecture of REGISTER: ${enum}."`
	JSON  bool   `help:"Print the answer as JSON."`
	All   bool   `short:"a" help:"Also fields that are 0 and reserved registers."`
}

type fieldAnswer struct {
	Name     string   `json:"name"`
	Bits     string   `json:"bits"`
	Value    any      `json:"value"` // as typed gives it
	Meaning  string   `json:"meaning,omitzero"`
	Features []string `json:"features,omitzero"`
	Takes    string   `json:"takes,omitzero"`
	Note     string   `json:"note,omitzero"`
	// Other is the value that a message gives beside, and what it means.
	Other        any    `json:"other,omitzero"`
	OtherMeaning string `json:"otherMeaning,omitzero"`

	value uint64
	text  string // the value as people read it
}

type registerAnswer struct {
	Name    string        `json:"name"`
	Value   any           `json:"value,omitzero"`   // as typed gives it; of a feature none
	Meaning string        `json:"meaning,omitzero"` // the core, or the cache
	Fields  []fieldAnswer `json:"fields"`
	// What a message says of the register beside its value.
	Encoding string         `json:"encoding,omitzero"`
	KVMID    string         `json:"kvmId,omitzero"`
	Other    any            `json:"other,omitzero"`
	Errno    string         `json:"errno,omitzero"`
	Reasons  []reasonAnswer `json:"reasons,omitzero"`
	Note     string         `json:"note,omitzero"`
	// Feature is given for a FEAT_ name, which has no value and no fields.
	Feature *featureAnswer `json:"feature,omitzero"`
}

func (c *explainCommand) Run(s *session) (int, error) {
	answers, err := c.answers(s)
	if err != nil {
		return 0, err
	}
	if c.JSON {
		return statusYes, s.printJSON(answers)
	}
	for i := range answers {
		switch a := &answers[i]; {
		case a.Feature != nil:
			c.printFeature(s, a)
		case a.KVMID != "" || a.Note != "":
			c.printPasted(s, a)
		default:
			c.print(s, a)
		}
	}
	return statusYes, nil
}

// answers explains the arguments: values, text that was pasted, or a host or
// document.
func (c *explainCommand) answers(s *session) ([]registerAnswer, error) {
	if answers, all, err := c.values(); all || err != nil {
		c.All = true
		return answers, err
	}
	var first *opened
	if len(c.What) == 1 {
		first = s.reader.open(c.What[0])
	}
	if answers, ok, err := c.pasted(first); ok {
		c.All = true
		return answers, err
	}
	if name, ok := strings.CutPrefix(c.What[0], siliconPrefix); ok && len(c.What) == 1 && !strings.Contains(name, "@") {
		return explainSilicon(name)
	}
	answers, err := explainDocument(first, c.Setup)
	if errors.Is(err, errUnknownHost) {
		err = unknownSubject(c.What[0])
	}
	return answers, err
}

// values explains arguments that are all REGISTER=VALUE, REGISTER.FIELD=VALUE or
// FEAT_ names; all says whether they are.
func (c *explainCommand) values() (answers []registerAnswer, all bool, err error) {
	for _, what := range c.What {
		if feature := arm64.FeatureNamed(what); feature != nil && c.Arch == "arm64" {
			answers = append(answers, explainFeature(feature))
			continue
		}
		name, value, isValue := strings.Cut(what, "=")
		if strings.EqualFold(name, "op0") {
			return nil, false, nil // an encoding
		}
		if !isValue || strings.ContainsAny(what, " \t\n") || strings.Contains(value, "=") {
			return nil, false, nil
		}
		explain := explainValue
		if c.Arch == "power" {
			explain = explainPowerValue
		}
		answer, err := explain(name, value)
		if err != nil {
			return nil, true, &inputError{err}
		}
		answers = append(answers, answer)
	}
	return answers, true, nil
}

// explainValue reads REGISTER=VALUE.
func explainValue(name, text string) (registerAnswer, error) {
	if owner, field, dotted := strings.Cut(name, "."); dotted {
		if register := arm64.Named(owner); register != nil {
			return explainField(register, field, text)
		}
		return registerAnswer{}, fmt.Errorf("%s: not a register with fields that have names%s", owner, isa.DidYouMean(owner, arm64.RegisterNames()))
	}
	id, ok := interop.RegisterNamed(name)
	if !ok {
		return registerAnswer{}, fmt.Errorf("%s: not a register that KVM lists, or a KVM register id%s", name, isa.DidYouMean(name, arm64.RegisterNames()))
	}
	value, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return registerAnswer{}, fmt.Errorf("%s: value %q: want a number such as 0x1101000020110112", name, text)
	}
	place, ok := arm64.PlaceOf(id)
	if !ok {
		return pastedAnswer(&interop.Said{ID: id, Name: guise.NameOf(id), Value: value, HasValue: true}), nil
	}
	register := &arm64.Registers[place]
	if register.Bits < 64 && value>>register.Bits != 0 {
		return registerAnswer{}, fmt.Errorf("%s: value %#x does not fit into %d bits", name, value, register.Bits)
	}
	return explainRegister(register, value, nil, nil), nil
}

// explainDocument explains what the guests of a contract or of a host see.
func explainDocument(document *opened, key string) ([]registerAnswer, error) {
	contract, captures, err := document.subject()
	if err != nil {
		return nil, err
	}
	if contract != nil {
		if power := contract.Power; power != nil {
			return explainPowerWords(power.Character, power.Behaviour)
		}
		return explainView(&contract.View, nil), nil
	}
	if len(captures) != 1 {
		return nil, &inputError{fmt.Errorf("%s: has %d hosts; want one", document.name, len(captures))}
	}
	if power := captures[0].Power; power != nil {
		return explainPowerHost(power)
	}
	setup := &captures[0].Setups[0]
	if key != "" {
		if setup = captures[0].Setup(key); setup == nil {
			return nil, &inputError{fmt.Errorf("%s: was not captured in setup %s; it has %s", document.name, key, elide(setupKeys(captures[0]), 8))}
		}
	}
	return explainView(&setup.View, setup), nil
}

func setupKeys(c *guise.Capture) []string {
	keys := make([]string, len(c.Setups))
	for i := range c.Setups {
		keys[i] = c.Setups[i].Key()
	}
	return keys
}

// explainView explains every register of a view.
func explainView(view *arm64.View, setup *guise.CapturedSetup) []registerAnswer {
	var answers []registerAnswer
	for place := range arm64.Registers {
		if view.Present.Has(place) {
			answers = append(answers, explainRegister(&arm64.Registers[place], view.Values[place], view, setup))
		}
	}
	return answers
}

// explainRegister names every field of a value. With a setup it says what the
// host takes, and which fields the setup, not the host, decides.
func explainRegister(register *isa.Register, value uint64, view *arm64.View, setup *guise.CapturedSetup) registerAnswer {
	answer := registerAnswer{Name: register.Name, Value: typed(register.Name, register.Text(value)).Value, Fields: []fieldAnswer{}}
	place, _ := arm64.Place(register.Name)
	for i := range register.Fields {
		field := &register.Fields[i]
		f := explainedField(field, field.Get(value))
		f.Features = fieldFeatures(place, i, value, view)
		if setup != nil {
			if slot, ok := arm64.SlotOf(place, i); ok && setup.Offers != nil {
				f.Takes = takesText(slot, setup.Offers.Set(slot))
			}
			if decided := guise.FeatureDeciding(register.Name, field.Name); decided != "" && !setup.Has(decided) && f.value == 0 {
				f.Meaning, f.Note = "", "not known: captured in a setup without "+string(decided)
			}
		}
		answer.Fields = append(answer.Fields, f)
	}
	switch {
	case place == arm64.MIDREL1:
		answer.Meaning = arm64.DescribeCore(value)
	case strings.HasPrefix(register.Name, "CCSIDR_EL1["):
		answer.Meaning = arm64.DescribeCache(value)
	}
	return answer
}

// explainedField names a value of a field.
func explainedField(field *isa.Field, value uint64) fieldAnswer {
	f := fieldAnswer{Name: field.Name, Bits: bitsText(field), Meaning: field.ValueName(value), value: value, text: field.Text(value)}
	if f.Value = typed("", f.text).Value; f.Meaning == f.text {
		f.Meaning = ""
	}
	return f
}

func bitsText(field *isa.Field) string {
	if field.Width == 1 {
		return fmt.Sprint(field.LSB)
	}
	return fmt.Sprintf("%d:%d", field.LSB+field.Width-1, field.LSB)
}

// takesText gives a set, and nothing where the host takes only what it shows.
func takesText(slot int, set isa.Set) string {
	if set.Len() <= 1 {
		return ""
	}
	return membersText(slot, set)
}

// fieldFeatures returns the FEAT_ names that a field's value shows. Names that
// rest on other registers too are given only where those are known.
func fieldFeatures(place, field int, value uint64, view *arm64.View) []string {
	var values [arm64.NumRegisters]uint64
	if view != nil {
		values = view.Values
	}
	values[place] = value
	var names []string
	for i := range arm64.FeatureTable {
		f := &arm64.FeatureTable[i]
		if f.Present != nil && restsOn(f.Present, place, field, view == nil) && f.Present.Holds(&values) {
			names = append(names, f.Name)
		}
	}
	return names
}

// restsOn reports whether a condition reads the field, and, where only one
// register is known, no other register.
func restsOn(c arm64.Condition, place, field int, alone bool) bool {
	reads := false
	for _, all := range c {
		for _, test := range all {
			if test.Register == place && test.Field == field {
				reads = true
			}
			if alone && test.Register != place {
				return false
			}
		}
	}
	return reads
}

func (c *explainCommand) print(s *session, a *registerAnswer) {
	if a.Value == "0x0" && !c.All {
		return
	}
	fmt.Fprintf(s.stdout, "%s = %v", a.Name, a.Value)
	if a.Meaning != "" {
		fmt.Fprintf(s.stdout, "  %s", a.Meaning)
	}
	fmt.Fprintln(s.stdout)
	c.printFields(s, a)
}

// printFields writes a line for each field.
func (c *explainCommand) printFields(s *session, a *registerAnswer) {
	var rows [][]string
	hidden := 0
	for _, f := range a.Fields {
		if f.value == 0 && f.Note == "" && f.Takes == "" && len(f.Features) == 0 && !c.All {
			hidden++
			continue
		}
		meaning := f.Meaning
		if f.Note != "" {
			meaning = f.Note
		}
		takes := f.Takes
		if takes != "" {
			takes = "takes " + takes
		}
		if f.Other != nil {
			takes = strings.TrimSpace(fmt.Sprintf("beside %v %s", f.Other, f.OtherMeaning))
		}
		rows = append(rows, []string{f.Bits, f.Name, f.text, meaning, takes, strings.Join(f.Features, " ")})
	}
	if len(rows) > 0 {
		plainColumns(s.stdout, rows, 0, 2)
	}
	if hidden > 0 && len(rows) > 0 {
		fmt.Fprintf(s.stdout, "  ... and %s at 0 (-a)\n", count(hidden, "field"))
	}
}
