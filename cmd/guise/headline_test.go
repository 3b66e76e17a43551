package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/probe"
)

// verdictBefore is a verdict that stands before a sentence, which may deny it: "no
// 2 hosts have no contract".
var verdictBefore = regexp.MustCompile(`^(yes|same|differs|unknown|not settled:|not so:) |^no +[^c]`)

// TestHeadlines: the first line of an answer is a plain sentence.
func TestHeadlines(t *testing.T) {
	for line, want := range map[string]string{
		"baseline graviton2@6.18":                            "1 host has a contract: for VMs made with no optional feature, a vGICv3",
		"baseline graviton2@6.18 graviton3@6.18":             "no contract: 3 fields have no value that every host takes, and the hosts differ in identity and the policy gives none",
		"baseline --hide FEAT_S2FWB graviton3@6.18":          "no contract: 1 field cannot be as the policy wants it",
		"baseline --vary identity graviton2@6.1 a64fx@6.1":   "",
		"baseline --require FEAT_SVE graviton3@6.18":         "unknown: whether 1 host has a contract rests on 1 point that no capture tells",
		"check graviton2@6.18 graviton2@6.18":                "graviton2@6.18 takes the contract",
		"check graviton3@6.18 graviton2@6.18":                "graviton2@6.18 does not take the contract: 34 points against it",
		"check qemu10-max@7.2 graviton2@6.18":                "unknown: whether graviton2@6.18 takes the contract rests on 1 point",
		"diff graviton2@6.18 graviton2@6.18":                 "graviton2@6.18 and graviton2@6.18 show a guest the same: in VMs of setup base/vgic3",
		"diff graviton2@6.18 graviton3@6.18":                 "graviton2@6.18 and graviton3@6.18 differ in 35 places: in VMs of setup base/vgic3",
		"pools graviton2@6.18 graviton3@6.18":                "2 pools for 2 hosts (2 distinct views); no way has fewer",
		"pools --require FEAT_SVE graviton2@6.18":            "unknown: whether graviton2@6.18 has a contract even by itself: ID_AA64PFR0_EL1.SVE",
		"pools --hide FEAT_S2FWB graviton3@6.18":             "no contract: graviton3@6.18 has none even by itself: ID_AA64MMFR2_EL1.FWB",
		"forecast graviton3@6.18 --kernel 6.18":              "guests of graviton3@6.18 see no change: from Linux 6.18.30 to 6.18, in 1 setup",
		"forecast graviton2@6.1 --kernel 6.12,7.2":           "guests of graviton2@6.1 see a change: from Linux 6.1.172 to 6.12, 7.2",
		"forecast graviton3@6.18 --kernel 7.1":               "unknown: whether guests of graviton3@6.18 see a change from Linux 6.18.30 to 7.1, in 1 setup",
		"model changes 7.2 7.2":                              "Linux 7.2 and 7.2 are the same to guests: no entry of the change log lies between them",
		"model nested --compare 6.1 7.2 ideal --event mtdaw": "",
	} {
		var out, messages bytes.Buffer
		run(context.Background(), strings.Fields(line), nil, &out, &messages)
		first, _, _ := strings.Cut(out.String(), "\n")
		if verdictBefore.MatchString(first) || want != "" && first != want {
			t.Errorf("guise %s\n%s\nwant %s\n%s", line, first, want, messages.String())
		}
	}
}

// TestObstacles: each kind of thing in the way is counted and named.
func TestObstacles(t *testing.T) {
	findings := []guise.Finding{
		{Verdict: guise.No, Kind: guise.KindVectors}, {Verdict: guise.No, Kind: guise.KindSetup},
		{Verdict: guise.No, Kind: guise.KindFixed}, {Verdict: guise.No, Kind: guise.KindFixed},
		{Verdict: guise.No, Kind: guise.KindIdentity}, {Verdict: guise.No, Kind: guise.KindIdentity},
		{Verdict: guise.No, Kind: guise.KindPolicy}, {Verdict: guise.No, Kind: guise.KindPolicy},
		{Verdict: guise.Unknown, Kind: guise.KindHardware}, {Verdict: guise.Yes, Kind: guise.KindVaries},
	}
	const want = "2 fields have no value that every host takes, and 2 fields cannot be as the policy wants them, and " +
		"the hosts differ in identity and the policy gives none, and there is no VM that every host makes, and the hosts have no set of SVE vector lengths in common"
	if got := obstacles(findings); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := obstacles(findings[2:3]); got != "1 field has no value that every host takes" {
		t.Errorf("got %s", got)
	}
}

// TestProofHeadlines: what a proof shows, of a contract and of none.
func TestProofHeadlines(t *testing.T) {
	proof := func(v guise.Verdict, looked bool) *guise.Proof {
		p := &guise.Proof{Findings: []guise.Finding{{Verdict: v}}}
		if looked {
			p.Trace = &probe.Trace{}
		}
		return p
	}
	for _, test := range []struct {
		contract string
		proof    *guise.Proof
		want     string
	}{
		{"c.json", proof(guise.Yes, true), "a guest sees the contract c.json"},
		{"c.json", proof(guise.No, true), "a guest does not see the contract c.json"},
		{"c.json", proof(guise.No, false), "the host does not take the contract c.json"},
		{"c.json", proof(guise.Unknown, true), "unknown: whether a guest sees the contract c.json"},
		{"", proof(guise.Yes, true), "a guest of setup base/vgic0 sees what userspace reads"},
		{"", proof(guise.No, true), "a guest of setup base/vgic0 does not see what userspace reads"},
	} {
		if got := (&proveCommand{Contract: test.contract}).headline(test.proof); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
