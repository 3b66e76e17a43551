package main

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

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

// policyFile is the form of --policy.
type policyFile struct {
	Allow    map[string][]string `yaml:"allow"`
	Restrict map[string]uint64   `yaml:"restrict"`
	Force    map[string]uint64   `yaml:"force"`
	Require  yaml.MapSlice       `yaml:"require"`
	Vary     []string            `yaml:"vary"`
	Hide     []string            `yaml:"hide"`
}

// policy reads the flags and the file.
func (f *policyFlags) policy(s *session) (*guise.Policy, error) {
	p := &guise.Policy{Hide: f.Hide, Require: f.Require, IdentityOf: f.IdentityOf, Protected: f.Protected, NoVGIC: f.NoVGIC, AtLeast: map[string]uint64{}}
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
	if f.Policy == "" {
		return p, nil
	}
	data, err := s.reader.readFor(f.Policy, "a policy")
	if err != nil {
		return nil, err
	}
	if err := addPolicyFile(p, data); err != nil {
		return nil, &inputError{fmt.Errorf("%s: %v", f.Policy, err)}
	}
	return p, nil
}

// addPolicyFile adds the rules of a file to a policy.
func addPolicyFile(p *guise.Policy, data []byte) error {
	var file policyFile
	if err := yaml.UnmarshalWithOptions(data, &file, yaml.Strict(), yaml.DisallowUnknownField()); err != nil {
		return err
	}
	p.Allow, p.Restrict, p.Force = file.Allow, file.Restrict, file.Force
	p.Hide = append(p.Hide, file.Hide...)
	for _, item := range file.Require {
		name := fmt.Sprint(item.Key)
		value, isNumber := item.Value.(uint64)
		switch {
		case isNumber:
			p.AtLeast[name] = value
		case item.Value == true:
			p.Require = append(p.Require, name)
		default:
			return fmt.Errorf("require: %s: want a value, or true for a FEAT_ name", name)
		}
	}
	for _, vary := range file.Vary {
		p.Vary = append(p.Vary, guise.ParseVary(vary)...)
	}
	return nil
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
