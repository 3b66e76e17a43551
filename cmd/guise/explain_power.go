package main

import (
	"fmt"
	"strconv"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/power"
)

// explainPowerValue names the fields of a POWER register.
func explainPowerValue(name, text string) (registerAnswer, error) {
	value, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return registerAnswer{}, fmt.Errorf("%s: value %q: want a number such as 0x219f", name, text)
	}
	return powerAnswer(name, value)
}

// powerAnswer names the fields of a value.
func powerAnswer(name string, value uint64) (registerAnswer, error) {
	explanation, err := power.Explain(name, value)
	if err != nil {
		return registerAnswer{}, err
	}
	answer := registerAnswer{Name: explanation.Register.Name, Value: fmt.Sprintf("%#x", value), Fields: []fieldAnswer{}}
	for _, f := range explanation.Fields {
		answer.Fields = append(answer.Fields, fieldAnswer{Name: f.Field.Name, Bits: bitsText(f.Field), Value: typed("", f.Field.Text(f.Value)).Value, Meaning: f.Meaning, value: f.Value, text: f.Field.Text(f.Value)})
	}
	if explanation.Unknown != 0 {
		answer.Fields = append(answer.Fields, fieldAnswer{Name: "unknown", Bits: "-", Value: fmt.Sprintf("%#x", explanation.Unknown), Meaning: "nothing has these bits", value: explanation.Unknown, text: fmt.Sprintf("%#x", explanation.Unknown)})
	}
	return answer, nil
}

// explainPowerWords explains the two words of KVM_PPC_GET_CPU_CHAR.
func explainPowerWords(character, behaviour uint64) ([]registerAnswer, error) {
	var answers []registerAnswer
	for _, word := range []struct {
		name  string
		value uint64
	}{{"character", character}, {"behaviour", behaviour}} {
		answer, err := powerAnswer("KVM_PPC_GET_CPU_CHAR."+word.name, word.value)
		if err != nil {
			return nil, err
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

// explainPowerHost explains a captured POWER host: beside the two words, what
// guests of guests are permitted, as far as it was seen.
func explainPowerHost(host *guise.PowerHost) ([]registerAnswer, error) {
	answers, err := explainPowerWords(host.Characteristics.Character, host.Characteristics.Behaviour)
	if err != nil {
		return nil, err
	}
	var permitted uint64
	for i := range power.Facilities {
		if f := &power.Facilities[i]; host.Facilities[f.Name].Permitted() == guise.Yes {
			permitted |= f.Mask()
		}
	}
	answer, err := powerAnswer("HFSCR", permitted)
	return append(answers, answer), err
}
