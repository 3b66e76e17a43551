package main

import (
	"github.com/guise-project/guise"
)

// The answers of reading commands as --json prints them.

type hostValueJSON struct {
	Host  string `json:"host"`
	Value string `json:"value"`
	Takes string `json:"takes,omitzero"`
}

type findingJSON struct {
	Verdict  string          `json:"verdict"`
	Kind     guise.Kind      `json:"kind"`
	Register string          `json:"register"`
	Field    string          `json:"field,omitzero"`
	Wanted   string          `json:"wanted,omitzero"`
	Hosts    []hostValueJSON `json:"hosts"`
	Who      string          `json:"who,omitzero"`
	Means    string          `json:"means,omitzero"`
	Mend     string          `json:"mend,omitzero"`
	Rests    string          `json:"restsOn,omitzero"`
}

func hostValuesJSON(values []guise.HostValue) []hostValueJSON {
	out := make([]hostValueJSON, len(values))
	for i, v := range values {
		out[i] = hostValueJSON(v)
	}
	return out
}

func findingsJSON(findings []guise.Finding) []findingJSON {
	out := make([]findingJSON, len(findings))
	for i, f := range findings {
		out[i] = findingJSON{
			Verdict: f.Verdict.String(), Kind: f.Kind, Register: f.Register, Field: f.Field, Wanted: f.Wanted,
			Hosts: hostValuesJSON(f.Hosts), Who: f.Who, Means: f.Means, Mend: f.Mend, Rests: f.Rests,
		}
	}
	return out
}

type settlementJSON struct {
	Register string          `json:"register"`
	Field    string          `json:"field"`
	Value    uint64          `json:"value"`
	Text     string          `json:"text,omitzero"`
	Hosts    []hostValueJSON `json:"hosts"`
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
		answer.Settled = append(answer.Settled, settlementJSON{s.Register, s.Field, s.Value, s.Text, hostValuesJSON(s.Hosts)})
	}
	for _, h := range result.GivesUp {
		answer.GivesUp[h.Host] = h.Count
	}
	return answer
}

type hostVerdictJSON struct {
	Host     string        `json:"host"`
	Verdict  string        `json:"verdict"`
	Findings []findingJSON `json:"findings"`
	RestsOn  []string      `json:"restsOn"`
}

func verdictsJSON(verdicts []guise.HostVerdict) []hostVerdictJSON {
	out := make([]hostVerdictJSON, len(verdicts))
	for i, v := range verdicts {
		out[i] = hostVerdictJSON{v.Host, v.Verdict.String(), findingsJSON(v.Findings), v.RestsOn}
	}
	return out
}
