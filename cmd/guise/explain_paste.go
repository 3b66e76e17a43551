package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// reasonAnswer is one of KVM's reasons for an errno.
type reasonAnswer struct {
	Text string `json:"text"`
	When string `json:"when,omitzero"`
}

// pasted reads the arguments as what messages and logs print; false where the
// first one names a document or a host. An error is about the text.
func (c *explainCommand) pasted(first *opened) (answers []registerAnswer, ok bool, err error) {
	text := strings.Join(c.What, " ")
	name, hint := text, ""
	if len(c.What) == 1 {
		switch {
		case first.err == nil && isJSON(first.data):
			return nil, false, nil
		case first.err == nil:
			name, text = first.name, string(first.data)
			if name == "-" {
				name = "standard input"
			}
		}
		// A name of no file, or of one that cannot be read, is text or a host.
	}
	if len(text) > interop.MaxPasteSize {
		return nil, true, &inputError{fmt.Errorf("%.80s: has %d bytes; no text that is explained is longer than %d", name, len(text), interop.MaxPasteSize)}
	}
	said := interop.Paste(text)
	if len(said) == 0 && name == text && len(c.What) == 1 {
		return nil, false, nil
	}
	if len(c.What) > 1 {
		hint = "; hosts and documents are explained one at a time"
	}
	if len(said) == 0 {
		return nil, true, &inputError{fmt.Errorf("%.80s: names no register, KVM register id or CPU that is known%s", name, hint)}
	}
	for i := range said {
		answers = append(answers, pastedAnswer(&said[i]))
	}
	return answers, true, nil
}

// pastedAnswer explains what one line says of one register.
func pastedAnswer(s *interop.Said) registerAnswer {
	if s.ID == 0 {
		return registerAnswer{Name: s.Text, Errno: s.Errno, Note: s.Note, Fields: []fieldAnswer{}}
	}
	answer := registerAnswer{Name: s.Name, Fields: []fieldAnswer{}}
	place, inTable := arm64.PlaceOf(s.ID)
	switch {
	case inTable && s.HasValue:
		answer = explainRegister(&arm64.Registers[place], s.Value, nil, nil)
	case s.HasValue:
		answer.Value = fmt.Sprintf("%#x", s.Value)
	}
	answer.KVMID = idText(s.ID)
	if e, ok := s.ID.Encoding(); ok {
		answer.Encoding = e.String()
	}
	if s.Field != "" {
		answer.Fields = only(answer.Fields, func(f *fieldAnswer) bool { return f.Name == s.Field })
		answer.Name += "." + s.Field
		field := arm64.Registers[place].Field(s.Field)
		answer.Value = typed("", field.Text(field.Get(s.Value))).Value
	}
	if s.HasOther {
		answer.Other = fmt.Sprintf("%#x", s.Other)
		if inTable {
			answer.Other = typed("", arm64.Registers[place].Text(s.Other)).Value
			answer.Fields = beside(&arm64.Registers[place], answer.Fields, s.Value, s.Other)
		}
	}
	answer.explainErrno(s.ID, s.Value, s.HasValue, s.Errno)
	return answer
}

func only(fields []fieldAnswer, keep func(*fieldAnswer) bool) []fieldAnswer {
	var kept []fieldAnswer
	for i := range fields {
		if keep(&fields[i]) {
			kept = append(kept, fields[i])
		}
	}
	return kept
}

// beside keeps the fields in which two values differ, with the other value
// noted.
func beside(register *isa.Register, fields []fieldAnswer, value, other uint64) []fieldAnswer {
	kept := fields[:0]
	for _, f := range fields {
		field := register.Field(f.Name)
		if there := field.Get(other); there != field.Get(value) {
			other := explainedField(field, there)
			f.Other, f.OtherMeaning = other.Value, other.Meaning
			kept = append(kept, f)
		}
	}
	return kept
}

// explainErrno adds the reasons that KVM has for an errno.
func (a *registerAnswer) explainErrno(id arm64.ID, value uint64, known bool, errno string) {
	a.Errno = errno
	for _, r := range kernel.Reasons(id, value, known, errno) {
		a.Reasons = append(a.Reasons, reasonAnswer(r))
	}
}

// namesOf gives the encoding and KVM's id behind a register's name, as far as
// they say more.
func (a *registerAnswer) namesOf() string {
	var names []string
	if a.Encoding != "" && a.Encoding != a.Name {
		names = append(names, a.Encoding)
	}
	if a.KVMID != "" {
		names = append(names, "KVM id "+a.KVMID)
	}
	return strings.Join(names, ", ")
}

// printPasted writes what stands around the fields of a pasted register.
func (c *explainCommand) printPasted(s *session, a *registerAnswer) {
	switch {
	case a.Note != "":
		fmt.Fprintf(s.stdout, "%s\n  %s\n", a.Name, a.Note)
	case a.Value == nil:
		fmt.Fprintf(s.stdout, "%s (%s)\n", a.Name, a.namesOf())
	default:
		other := ""
		if a.Meaning != "" {
			other = "  " + a.Meaning
		}
		if a.Other != nil {
			other += fmt.Sprintf(", beside %v", a.Other)
		}
		fmt.Fprintf(s.stdout, "%s = %v%s (%s)\n", a.Name, a.Value, other, a.namesOf())
	}
	c.printFields(s, a)
	if a.Errno == "" {
		return
	}
	fmt.Fprintf(s.stdout, "  %s, for which KVM has these reasons:\n", a.Errno)
	if len(a.Reasons) == 0 {
		fmt.Fprintln(s.stdout, "    none for a register")
	}
	for _, r := range a.Reasons {
		fmt.Fprintf(s.stdout, "    %s: %s\n", cmp.Or(r.When, "always"), r.Text)
	}
}
