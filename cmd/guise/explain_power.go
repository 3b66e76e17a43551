package main

import (
	"fmt"
	"strconv"

	"github.com/guise-project/guise/isa/power"
)

// explainPower names the fields of a POWER register.
func (c *explainCommand) explainPower(s *session, name, text string) (int, error) {
	value, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, &inputError{fmt.Errorf("%s: value %q: want a number such as 0x219f", name, text)}
	}
	explanation, err := power.Explain(name, value)
	if err != nil {
		return 0, &inputError{err}
	}
	answer := registerAnswer{Name: explanation.Register.Name, Value: fmt.Sprintf("0x%016x", value)}
	for _, f := range explanation.Fields {
		answer.Fields = append(answer.Fields, fieldAnswer{Name: f.Field.Name, Bits: bitsText(f.Field), Value: f.Value, Meaning: f.Meaning})
	}
	if explanation.Unknown != 0 {
		answer.Fields = append(answer.Fields, fieldAnswer{Name: "unknown", Bits: "-", Value: explanation.Unknown, Meaning: "no facility has these bits"})
	}
	if c.JSON {
		return statusYes, s.printJSON([]registerAnswer{answer})
	}
	c.All = true
	c.print(s, &answer)
	return statusYes, nil
}
