package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

// The answers of reading commands as --json prints them. docs/schema has a schema
// for each: answer-COMMAND.json.
//
// Values have the type of what they are of: a register is a string in hexadecimal
// with 0x, a field of up to four bits a number, a version a string as "1.1", SVE
// vector lengths a list of numbers. What stands in place of a value is a state, one
// of guise.States. Members that are texts for people (who, means, restsOn, notes and
// such) say nothing that a program needs and that is not in another member.

// valueJSON is one value; one of its members is there, none where there is nothing.
type valueJSON struct {
	Value  any      `json:"value,omitzero"`
	State  string   `json:"state,omitzero"`
	Setups []string `json:"setups,omitzero"`
	Text   string   `json:"text,omitzero"` // a word of POWER's, or what a policy asks for
}

var (
	hexNumber    = regexp.MustCompile(`^0x[0-9a-f]+$`)
	dottedNumber = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
)

// typed gives a value of a register or field its type.
func typed(register, text string) valueJSON {
	switch number, err := strconv.ParseUint(text, 10, 64); {
	case text == "":
		return valueJSON{}
	case slices.Contains(guise.States, text):
		return valueJSON{State: text}
	case register == "setup":
		return valueJSON{Setups: strings.Split(text, ", ")}
	case register == "SVE vector lengths":
		lengths := []int{}
		for length := range strings.SplitSeq(text, ", ") {
			n, err := strconv.Atoi(length)
			if err != nil {
				return valueJSON{Text: text}
			}
			lengths = append(lengths, n)
		}
		return valueJSON{Value: lengths}
	case err == nil:
		return valueJSON{Value: number}
	case hexNumber.MatchString(text), dottedNumber.MatchString(text):
		return valueJSON{Value: text}
	}
	return valueJSON{Text: text}
}

type hostValueJSON struct {
	Host string `json:"host"`
	valueJSON
	Takes string `json:"takes,omitzero"` // a set, as documents write it
}

type remedyJSON struct {
	Code    guise.RemedyCode `json:"code"`
	Objects []string         `json:"objects"`
}

type findingJSON struct {
	Verdict  string          `json:"verdict"`
	Kind     guise.Kind      `json:"kind"`
	Register string          `json:"register"`
	Field    string          `json:"field,omitzero"`
	Wanted   valueJSON       `json:"wanted,omitzero"`
	Hosts    []hostValueJSON `json:"hosts"`
	Who      string          `json:"who,omitzero"`
	Means    string          `json:"means,omitzero"`
	Mend     *remedyJSON     `json:"mend,omitzero"`
	Rests    string          `json:"restsOn,omitzero"`
}

func hostValuesJSON(register string, values []guise.HostValue) []hostValueJSON {
	out := make([]hostValueJSON, len(values))
	for i, v := range values {
		out[i] = hostValueJSON{v.Host, typed(register, v.Value), v.Takes}
	}
	return out
}

func findingsJSON(findings []guise.Finding) []findingJSON {
	out := make([]findingJSON, len(findings))
	for i, f := range findings {
		out[i] = findingJSON{
			Verdict: f.Verdict.String(), Kind: f.Kind, Register: f.Register, Field: f.Field, Wanted: typed(f.Register, f.Wanted),
			Hosts: hostValuesJSON(f.Register, f.Hosts), Who: f.Who, Means: f.Means, Rests: f.Rests,
		}
		if f.Remedy.Code != guise.RemedyNone {
			out[i].Mend = &remedyJSON{f.Remedy.Code, f.Remedy.Objects}
		}
	}
	return out
}

type settlementJSON struct {
	Register string `json:"register"`
	Field    string `json:"field,omitzero"`
	valueJSON
	Hosts []hostValueJSON `json:"hosts"`
}

type baselineAnswer struct {
	Verdict  string           `json:"verdict"`
	Setup    string           `json:"setup,omitzero"`
	Contract string           `json:"contractDigest,omitzero"`
	Findings []findingJSON    `json:"findings"`
	Settled  []settlementJSON `json:"settled"`
	GivesUp  map[string]int   `json:"givesUp"`
	RestsOn  []string         `json:"restsOn"`
	NotKnown []string         `json:"notKnown"`
	Notes    []string         `json:"notes"`
}

func baselineJSON(result *guise.BaselineResult) baselineAnswer {
	answer := baselineAnswer{
		Verdict: result.Verdict.String(), Findings: findingsJSON(result.Findings), GivesUp: map[string]int{},
		RestsOn: result.RestsOn, NotKnown: result.NotKnown, Notes: result.Notes, Settled: []settlementJSON{},
	}
	if len(result.GivesUp) > 0 {
		answer.Setup = result.Setup.Key()
	}
	if result.Contract != nil {
		answer.Contract = result.Contract.Digest()
	}
	for _, s := range result.Settled {
		answer.Settled = append(answer.Settled, settlementJSON{s.Register, s.Field, typed(s.Register, settledText(&s)), hostValuesJSON(s.Register, s.Hosts)})
	}
	for _, h := range result.GivesUp {
		answer.GivesUp[h.Host] = h.Count
	}
	return answer
}

// settledText is the value that hosts agree on, as people read it.
func settledText(s *guise.Settlement) string {
	if s.Text != "" {
		return s.Text
	}
	if register := arm64.Named(s.Register); register != nil {
		if field := register.Field(s.Field); field != nil {
			return field.Text(s.Value)
		}
	}
	return strconv.FormatUint(s.Value, 10)
}

type hostVerdictJSON struct {
	Host     string        `json:"host"`
	Verdict  string        `json:"verdict"`
	Findings []findingJSON `json:"findings"`
	RestsOn  []string      `json:"restsOn"`
	// Moves are those from the host, where a VMM was named.
	Moves []moveJSON `json:"moves,omitzero"`
}

func verdictsJSON(verdicts []guise.HostVerdict) []hostVerdictJSON {
	out := make([]hostVerdictJSON, len(verdicts))
	for i, v := range verdicts {
		out[i] = hostVerdictJSON{v.Host, v.Verdict.String(), findingsJSON(v.Findings), v.RestsOn, nil}
	}
	return out
}
