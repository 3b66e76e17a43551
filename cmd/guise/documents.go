package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/interop"
	"github.com/guise-project/guise/isa"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/vm"
	"github.com/guise-project/guise/vm/move"
)

// catalogCommand lists the built-in captures.
type catalogCommand struct {
	Name    string `arg:"" optional:"" help:"Print this capture; with --silicon what is known of this machine."`
	Silicon bool   `help:"List machines by their registers, which stand for hosts as silicon:NAME@KERNEL."`
	JSON    bool   `help:"Print the list as JSON."`
}

type catalogEntryJSON struct {
	Name   string   `json:"name"`
	Kernel string   `json:"kernel"`
	Source string   `json:"source"`
	Setups []string `json:"setups"`
	// Accepts says how it is known what the host takes, "not known" where it is
	// not, and Assumed the version whose profile is assumed.
	Accepts string `json:"accepts"`
	Assumed string `json:"assumedKernel,omitzero"`
}

func (c *catalogCommand) Run(s *session) (int, error) {
	if c.Silicon {
		return c.silicon(s)
	}
	if c.Name != "" {
		capture, err := catalog.Load(c.Name)
		if err != nil {
			if errors.Is(err, catalog.ErrUnknown) {
				err = fmt.Errorf("%w%s", err, isa.DidYouMean(c.Name, slices.Values(catalog.Names())))
			}
			return 0, &inputError{&hintedError{err, "guise catalog lists the built-in captures"}}
		}
		return statusYes, s.writeDocument("", capture.Marshal())
	}
	var entries []catalogEntryJSON
	for _, name := range catalog.Names() {
		capture, err := catalog.Load(name)
		if err != nil {
			return 0, err
		}
		entries = append(entries, catalogEntry(capture))
	}
	if c.JSON {
		return statusYes, s.printJSON(entries)
	}
	rows := [][]string{{"name", "kernel", "setups", "what it takes", "from"}}
	for _, e := range entries {
		rows = append(rows, []string{e.Name, e.Kernel, fmt.Sprint(len(e.Setups)), e.takes(), e.Source})
	}
	columns(s.stdout, rows, 2)
	return statusYes, nil
}

func catalogEntry(c *guise.Capture) catalogEntryJSON {
	e := catalogEntryJSON{Name: c.Name, Kernel: c.Host.Kernel, Source: c.Captured.Source, Accepts: "not known"}
	if c.Host.Emulator != "" {
		e.Source = strings.TrimSpace(e.Source + " emulated: " + c.Host.Emulator)
	}
	e.Setups = setupKeys(c)
	if first := &c.Setups[0]; first.Offers != nil {
		e.Accepts, e.Assumed = string(first.Accepts), first.AssumedKernel
	}
	return e
}

// takes says how it is known what the host takes, for people.
func (e *catalogEntryJSON) takes() string {
	if e.Assumed == "" {
		return e.Accepts
	}
	return e.Accepts + " of Linux " + e.Assumed
}

// importCommand reads other people's formats.
type importCommand struct {
	Firecracker importFirecrackerCommand `cmd:"" help:"Read a fingerprint of Firecracker's cpu-template-helper as a capture, or a CPU template as a policy."`
}

type importFirecrackerCommand struct {
	File         string     `arg:"" help:"The fingerprint or template, - for standard input."`
	Output       outputFile `short:"o" placeholder:"FILE" help:"Write the capture, or the policy, to a file; standard output unless given."`
	AssumeKernel string     `placeholder:"VERSION" help:"Derive what the host takes from this kernel's profile."`
}

func (c *importFirecrackerCommand) Run(s *session) (int, error) {
	data, err := s.reader.readFor(c.File, "a fingerprint of Firecracker")
	if err != nil {
		return 0, err
	}
	if interop.IsTemplate(data) {
		return c.template(s, data)
	}
	capture, err := interop.ImportFirecracker(c.File, data)
	if err != nil {
		return 0, &inputError{err}
	}
	capture.Captured.Source = "Firecracker, " + filepath.Base(c.File)
	if c.AssumeKernel != "" {
		version, err := kernel.ParseVersion(c.AssumeKernel)
		if err == nil {
			err = capture.Assume(version)
		}
		if err != nil {
			return 0, &inputError{fmt.Errorf("--assume-kernel: %v", err)}
		}
	}
	return statusYes, s.writeDocument(c.Output, capture.Marshal())
}

// template writes what a template asks for as a policy. What a policy file does not
// say, the VM's setup, is hinted at.
func (c *importFirecrackerCommand) template(s *session, data []byte) (int, error) {
	template, err := interop.ImportFirecrackerTemplate(c.File, data)
	if err == nil && c.AssumeKernel != "" {
		err = errors.New("--assume-kernel: is for a fingerprint; a template says nothing of a host")
	}
	if err != nil {
		return 0, &inputError{err}
	}
	status, err := statusYes, s.writeDocument(c.Output, template.Policy.Marshal())
	if err != nil {
		return 0, err
	}
	var flags []string
	for _, f := range template.With {
		flags = append(flags, "--with "+string(f))
	}
	for _, f := range template.Without {
		flags = append(flags, "--without "+string(f))
	}
	if len(flags) > 0 {
		s.hint("the template's vcpu_features are the setup, which is no rule of a policy: guise baseline %s", strings.Join(flags, " "))
	}
	if len(template.Capabilities) > 0 {
		s.hint("kvm_capabilities (%s) say what Firecracker looks for, and nothing of what a guest sees", plain.Line(strings.Join(template.Capabilities, ", ")))
	}
	return status, nil
}

// fleetCommand works with many captures in one file.
type fleetCommand struct {
	Pack   fleetPackCommand   `cmd:"" help:"Put many captures in one file, each distinct view once."`
	Unpack fleetUnpackCommand `cmd:"" help:"Write the captures of a fleet to files of their own."`
}

type fleetPackCommand struct {
	hostArguments
	Output outputFile `short:"o" placeholder:"FILE" help:"Write the fleet to a file; standard output unless given."`
}

func (c *fleetPackCommand) Run(s *session) (int, error) {
	captures, err := c.load(s)
	if err != nil {
		return 0, err
	}
	if err := nameInFleet(captures); err != nil {
		return 0, &inputError{err}
	}
	return statusYes, s.writeDocument(c.Output, guise.MarshalFleet(captures))
}

// nameInFleet names hosts after their files. Files of equal names are told apart
// by their directory, and by as many above it as that takes:
// 6.12-max/host.json becomes 6.12-max-host.
func nameInFleet(captures []*guise.Capture) error {
	elements := make([][]string, len(captures)) // of each path, the last first
	take := make([]int, len(captures))          // how many of them make up the name
	for i, capture := range captures {
		path := strings.TrimSuffix(filepath.ToSlash(filepath.Clean(capture.Name)), ".json")
		elements[i] = strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
		slices.Reverse(elements[i])
		take[i] = 1
	}
	name := func(i int) string {
		words := slices.Clone(elements[i][:take[i]])
		slices.Reverse(words)
		return strings.Join(words, "-")
	}
	for {
		called := map[string][]int{}
		for i := range captures {
			called[name(i)] = append(called[name(i)], i)
		}
		if len(called) == len(captures) {
			break
		}
		longer := false
		for _, equal := range called {
			for _, i := range equal {
				if len(equal) > 1 && take[i] < len(elements[i]) && elements[i][take[i]] != ".." {
					take[i]++
					longer = true
				}
			}
		}
		if longer {
			continue
		}
		for i := range captures {
			if equal := called[name(i)]; len(equal) > 1 {
				return fmt.Errorf("%s: another host is called %s too; rename one of the files", captures[equal[1]].Name, name(i))
			}
		}
	}
	for i, capture := range captures {
		capture.Name = name(i)
	}
	return nil
}

type fleetUnpackCommand struct {
	File      string `arg:"" help:"The fleet, - for standard input."`
	Directory string `short:"C" default:"." placeholder:"DIR" help:"Write the captures here, as NAME.json."`
}

func (c *fleetUnpackCommand) Run(s *session) (int, error) {
	data, err := s.reader.read(c.File)
	if err != nil {
		return 0, &inputError{err}
	}
	captures, err := guise.ReadFleet(c.File, data)
	if err != nil {
		return 0, &inputError{err}
	}
	paths := make([]string, len(captures))
	for i, capture := range captures {
		if !filepath.IsLocal(capture.Name) || strings.ContainsAny(capture.Name, `/\`) {
			return 0, &inputError{fmt.Errorf("%s: host %q: the name cannot be a file's", c.File, capture.Name)}
		}
		paths[i] = filepath.Join(c.Directory, capture.Name+".json")
	}
	return statusYes, writeAll(paths, func(i int) []byte { return captures[i].Marshal() })
}

// lintCommand says whether files are well-formed documents.
type lintCommand struct {
	Files []string `arg:"" name:"file" help:"Captures, contracts, fleets and other documents, - for standard input."`
	JSON  bool     `help:"Print the answer as JSON."`
}

type lintAnswer struct {
	File   string `json:"file"`
	Schema string `json:"schema,omitzero"`
	// WellFormed is false where Error says why.
	WellFormed bool   `json:"wellFormed"`
	Error      string `json:"error,omitzero"`
	// NotKnown are the features that a capture says nothing of.
	NotKnown []guise.Feature `json:"notKnown,omitzero"`
	// Warnings are what no KVM gives a guest.
	Warnings []warningJSON `json:"warnings,omitzero"`
}

// warningJSON is something in a document that no KVM gives a guest.
type warningJSON struct {
	Host   string `json:"host,omitzero"` // of a fleet
	Setup  string `json:"setup"`
	Name   string `json:"name"`
	Value  any    `json:"value"`
	Reason string `json:"reason"`
}

func (c *lintCommand) Run(s *session) (int, error) {
	var answers []lintAnswer
	var bad error
	for _, file := range c.Files {
		answer := lintAnswer{File: file}
		if err := answer.read(s.reader); err != nil {
			answer.Error = err.Error()
			bad = err
		}
		answer.WellFormed = answer.Error == ""
		answers = append(answers, answer)
	}
	if c.JSON {
		if err := s.printJSON(answers); err != nil {
			return 0, err
		}
	}
	for _, a := range answers {
		switch {
		case c.JSON:
		case a.Error != "":
			fmt.Fprintf(s.stderr, "guise: %s\n", a.Error)
		default:
			fmt.Fprintf(s.stdout, "well-formed  %s  %s\n", a.File, a.Schema)
			if len(a.NotKnown) > 0 {
				fmt.Fprintf(s.stdout, "  not known: any setup with %s (captured without)\n", joinFeatures(a.NotKnown))
			}
			for _, w := range a.Warnings[:min(len(a.Warnings), mostFields)] {
				fmt.Fprintf(s.stdout, "  warning: %s%s is %v in setup %s, which no KVM shows: %s\n", of(w.Host), w.Name, w.Value, w.Setup, w.Reason)
			}
			if more := len(a.Warnings) - mostFields; more > 0 {
				fmt.Fprintf(s.stdout, "  ... and %s\n", count(more, "more"))
			}
		}
	}
	if bad != nil {
		return statusUsage, nil
	}
	return statusYes, nil
}

// read reads the document by its schema.
func (a *lintAnswer) read(r *reader) error {
	data, err := r.read(a.File)
	if err != nil {
		return err
	}
	a.Schema = guise.SchemaOf(data)
	if a.Schema == "" || a.Schema == guise.SchemaCapture {
		capture, err := guise.ReadCapture(a.File, data)
		if err != nil {
			return err
		}
		a.NotKnown = capture.NotCaptured()
		return a.judge(a.File, "", capture)
	}
	switch a.Schema {
	case guise.SchemaFleet:
		captures, err := guise.ReadFleet(a.File, data)
		for _, capture := range captures {
			if err == nil {
				err = a.judge(a.File+": host "+capture.Name, capture.Name, capture)
			}
		}
		return err
	case guise.SchemaContract:
		contract, err := guise.ReadContract(a.File, data)
		if err == nil {
			a.warn("", contract.Doubts())
		}
		return err
	}
	read, ok := documentReaders[a.Schema]
	if !ok {
		return fmt.Errorf("%s: schema %.200q is not known", a.File, a.Schema)
	}
	return read(a.File, data)
}

// judge refuses a capture of what no host can be, and warns of what no KVM shows.
func (a *lintAnswer) judge(name, host string, capture *guise.Capture) error {
	if err := capture.Implausible(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.warn(host, capture.Doubts())
	return nil
}

func (a *lintAnswer) warn(host string, doubts []guise.Doubt) {
	for _, d := range doubts {
		a.Warnings = append(a.Warnings, warningJSON{host, d.Setup, d.Name, typed(d.Name, d.Value).Value, d.Reason})
	}
}

// of names the host of a fleet before what is said of it.
func of(host string) string {
	if host == "" {
		return ""
	}
	return "host " + host + ": "
}

// documentReaders reads documents by their schema: those of which there is no more
// to say than that they can be read.
var documentReaders = map[string]func(file string, data []byte) error{
	guise.SchemaProof:  checking(guise.ReadProof),
	move.Schema:        checking(move.ReadState),
	move.ArrivalSchema: checking(move.ReadArrival),
	vm.SchemaQuestions: checking(vm.ReadQuestions),
	vm.SchemaAnswers: checking(func(file string, data []byte) (string, error) {
		host, _, err := vm.ReadAnswers(file, data)
		return host, err
	}),
}

// checking makes of a reader one that only says whether it can read.
func checking[T any](read func(file string, data []byte) (T, error)) func(string, []byte) error {
	return func(file string, data []byte) error {
		_, err := read(file, data)
		return err
	}
}

func joinFeatures(features []guise.Feature) string {
	names := make([]string, len(features))
	for i, f := range features {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}
