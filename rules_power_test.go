package guise_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
)

// What POWER's hosts and contracts say, one rule a test.

// TestNothingIsDoubtedOfPower: what KVM on arm64 cannot show is no matter of POWER's
// documents, nor of none.
func TestNothingIsDoubtedOfPower(t *testing.T) {
	if d := powerBaseline(t, powerHosts()[0]).Contract.Doubts(); d != nil {
		t.Errorf("%v", d)
	}
	if d := (*guise.Contract)(nil).Doubts(); d != nil {
		t.Errorf("%v", d)
	}
	if d := (*guise.Capture)(nil).Doubts(); d != nil {
		t.Errorf("%v", d)
	}
}

// TestFacilitiesThatAreNotReached: a facility that nobody tried is not known, and one
// that does not reach the guest is refused, with what was met.
func TestFacilitiesThatAreNotReached(t *testing.T) {
	hosts := powerHosts()
	contract := powerBaseline(t, hosts[0]).Contract
	check := func(sights map[string]guise.FacilitySight) *guise.Finding {
		host, power := *hosts[0], *hosts[0].Power
		power.Facilities = sights
		host.Power = &power
		findings := guise.Check(contract, &host, guise.VMMNone).Findings
		at := slices.IndexFunc(findings, func(f guise.Finding) bool { return f.Field == "BHRB" })
		if at < 0 {
			return nil
		}
		return &findings[at]
	}
	if f := check(hosts[0].Power.Facilities); f != nil {
		t.Errorf("reached: %+v", f)
	}
	if f := check(nil); f == nil || f.Verdict != guise.Unknown || f.Remedy.Code != guise.RemedyCapture || f.Hosts[0].Value != "no nested guest looked" {
		t.Errorf("not tried: %+v", f)
	}
	f := check(map[string]guise.FacilitySight{"BHRB": {Off: guise.FacilityForwarded, On: guise.FacilityForwarded}})
	if f == nil || f.Verdict != guise.No || f.Remedy.Code != guise.RemedyNone || !strings.HasPrefix(f.Hosts[0].Value, string(guise.FacilityForwarded)) {
		t.Errorf("forwarded: %+v", f)
	}
}

// TestContractsOfPowerAreWhole: a contract says all that a nested guest is given.
func TestContractsOfPowerAreWhole(t *testing.T) {
	good := string(powerBaseline(t, powerHosts()[0]).Contract.Marshal())
	for _, member := range []string{"level", "facilities", "character", "behaviour"} {
		at := strings.Index(good, `"`+member+`": `)
		if at < 0 {
			t.Fatalf("no %s in %s", member, good)
		}
		end := at + strings.IndexAny(good[at:], "\n")
		if strings.HasSuffix(good[:end], "[") {
			end = at + strings.Index(good[at:], "]") + 2
		}
		text := strings.TrimRight(good[:at], " \n") + good[end:]
		if text[len(strings.TrimRight(good[:at], " \n"))-1] == ',' && strings.HasPrefix(strings.TrimSpace(good[end:]), "}") {
			text = strings.TrimSuffix(strings.TrimRight(good[:at], " \n"), ",") + good[end:]
		}
		if _, err := guise.ReadContract("c.json", []byte(text)); err == nil || !strings.Contains(err.Error(), "power: has no "+member) {
			t.Errorf("without %s: %v", member, err)
		}
	}
}

// TestFacilitiesAreSettled: a facility that one host does not permit is settled, with
// what each host does.
func TestFacilitiesAreSettled(t *testing.T) {
	hosts := powerHosts()
	power := *hosts[0].Power
	power.Facilities = map[string]guise.FacilitySight{"BHRB": {Off: guise.FacilityForwarded, On: guise.FacilityForwarded}}
	other := *hosts[0]
	other.Name, other.Power = "other", &power
	result := powerBaseline(t, hosts[0], &other)
	at := slices.IndexFunc(result.Settled, func(s guise.Settlement) bool { return s.Field == "BHRB" })
	if at < 0 || len(result.Settled[at].Hosts) != 2 || result.Settled[at].Hosts[0].Value == result.Settled[at].Hosts[1].Value {
		t.Errorf("%+v", result.Settled)
	}
}
