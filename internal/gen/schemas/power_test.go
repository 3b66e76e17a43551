package main

import (
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/power"
)

// fullPower is a capture of a POWER host with something in every member.
func fullPower() *guise.Capture {
	return &guise.Capture{
		Name:     "host",
		Captured: guise.Occasion{At: "2026-11-21T00:00:00Z", By: "guise test", Source: "a test"},
		Host:     guise.HostFacts{Kernel: "7.2.13", PageSize: 4096, Emulator: "QEMU", Capabilities: map[string]int64{"KVM_CAP_PPC_NESTED_HV": 1}},
		Power: &guise.PowerHost{
			PVR:             0x00801200,
			Characteristics: power.Characteristics{Character: 0x3c40000000000000, CharacterMask: 0xff40000000000000, Behaviour: 0xe400000000000000, BehaviourMask: 0xe400000000000000},
			Levels:          map[power.Level]bool{power.Level205: false, power.Level30: true, power.Level31: true},
			Tried:           map[string]bool{power.TriedLargeDecrementer: true},
			Facilities: map[string]guise.FacilitySight{
				"BHRB": {Off: guise.FacilityForwarded, On: guise.FacilityReached}, "FP": {Off: guise.FacilityReached, On: guise.FacilityReached},
			},
		},
	}
}

func fullPowerContract(t *testing.T) *guise.Contract {
	t.Helper()
	result, err := guise.Baseline([]*guise.Capture{fullPower()}, nil)
	if err != nil || result.Contract == nil {
		t.Fatalf("%+v, %v", result, err)
	}
	return result.Contract
}

func fullPowerProof(t *testing.T) *guise.Proof {
	t.Helper()
	host, contract := fullPower(), fullPowerContract(t)
	trace := &guise.PowerTrace{
		Level: contract.Power.Level, PVR: host.Power.PVR, Facilities: host.Power.Facilities,
		Instructions: map[string]guise.InstructionOutcome{"popcntd": guise.InstructionCompleted, "pli": guise.InstructionIllegal},
	}
	return &guise.Proof{
		Made: host.Captured, Contract: contract.Digest(), View: host.ViewDigest(), Host: host.Host,
		Power: trace, Findings: guise.JudgePower(contract, host, trace),
	}
}
