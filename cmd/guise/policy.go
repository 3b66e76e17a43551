package main

import (
	"fmt"
	"slices"

	"github.com/guise-project/guise"
)

// policyFlags shape a contract.
type policyFlags struct {
	Vary       []string `sep:"none" placeholder:"FIELD,..." help:"Leave fields to each host: ID_AA64MMFR2_EL1.EVT,FWB, or identity."`
	IdentityOf string   `placeholder:"HOST" help:"Give every VM the identity of this host."`
	Hide       []string `placeholder:"FEAT" help:"Hide features."`
	Require    []string `placeholder:"FEAT" help:"Require features."`
	With       []string `placeholder:"FEATURE" help:"VMs are made with these: sve, pmu, pauth, mte, el2, aarch32."`
	Without    []string `placeholder:"FEATURE" help:"VMs are made without these."`
	Protected  bool     `help:"Protected VMs."`
	NoVGIC     bool     `name:"no-vgic" help:"VMs without an in-kernel interrupt controller."`
	Policy     string   `placeholder:"FILE" help:"Rules in YAML: allow, restrict, force, require, vary; - for standard input."`
}

// policy reads the flags and the file.
func (f *policyFlags) policy(s *session) (*guise.Policy, error) {
	p := &guise.Policy{}
	if f.Policy != "" {
		data, err := s.reader.readFor(f.Policy, "a policy")
		if err != nil {
			return nil, err
		}
		if p, err = guise.ReadPolicy(f.Policy, data); err != nil {
			return nil, &inputError{err}
		}
	}
	p.Hide, p.Require = append(p.Hide, f.Hide...), append(p.Require, f.Require...)
	p.IdentityOf, p.Protected, p.NoVGIC = f.IdentityOf, f.Protected, f.NoVGIC
	var err error
	if p.With, err = features("--with", f.With); err != nil {
		return nil, err
	}
	if p.Without, err = features("--without", f.Without); err != nil {
		return nil, err
	}
	for _, vary := range f.Vary {
		p.Vary = append(p.Vary, guise.ParseVary(vary)...)
	}
	if err := p.Invalid(); err != nil {
		return nil, &inputError{err}
	}
	return p, nil
}

// features reads names of vCPU features.
func features(flag string, names []string) ([]guise.Feature, error) {
	var found []guise.Feature
	for _, name := range names {
		feature := guise.Feature(name)
		if !slices.Contains(guise.Features, feature) {
			return nil, &inputError{fmt.Errorf("%s %s: want one of %v", flag, name, guise.Features)}
		}
		found = append(found, feature)
	}
	return found, nil
}
