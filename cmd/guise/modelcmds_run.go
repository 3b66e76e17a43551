package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/lab"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/scenario"
	"github.com/guise-project/guise/vm"
)

// onHosts are the hosts that scenarios run on.
type onHosts struct {
	On     []string `default:"model:7.2/max" placeholder:"WHERE" help:"Where: model:VERSION/CPU, kvm (this machine), lab:VERSION/CPU; kernel parameters follow after commas. Several one after the other; the model of 7.2/max unless given."`
	Device string   `default:"/dev/kvm" help:"KVM's device."`
	JSON   bool     `name:"json" help:"Print outcomes as JSON."`
}

// modelRunCommand runs scenarios.
type modelRunCommand struct {
	Scenarios []string `arg:"" placeholder:"FILE" help:"Scenario files, - for standard input."`
	onHosts
	Verbose bool `short:"v" help:"Print each line with what came of it."`
}

// modelTestCommand runs the conformance suite.
type modelTestCommand struct {
	onHosts
	Verbose bool `short:"v" help:"Print each line with what came of it."`
}

func (c *modelRunCommand) Run(s *session) (int, error) {
	var scripts []*scenario.Script
	var files []lab.File
	args := []string{"model", "run", "--on", "kvm", "--json"}
	for _, path := range c.Scenarios {
		text, err := s.reader.readFor(path, "a scenario")
		if err != nil {
			return 0, err
		}
		script, err := scenario.Parse(filepath.Base(path), string(text))
		if err != nil {
			return 0, &inputError{err}
		}
		scripts = append(scripts, script)
		if path == "-" || strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/") {
			path = fmt.Sprintf("scenario-%d", len(files)) // hosts of the lab have an input of their own
		}
		args = append(args, path)
		files = append(files, lab.File{Path: path, Content: text})
	}
	return c.run(s, scripts, args, files, c.Verbose)
}

func (c *modelTestCommand) Run(s *session) (int, error) {
	scripts, err := scenario.Conformance()
	if err != nil {
		return 0, err
	}
	return c.run(s, scripts, []string{"model", "test", "--on", "kvm", "--json"}, nil, c.Verbose)
}

// run runs the scripts on every host. args is the command line that does it
// inside a host of the lab, files what it reads there.
func (o *onHosts) run(s *session, scripts []*scenario.Script, args []string, files []lab.File, verbose bool) (int, error) {
	names := hostNames(o.On)
	for _, name := range names {
		if err := checkHostName(name); err != nil {
			return 0, &inputError{err}
		}
	}
	var all []*scenario.Outcome
	for _, name := range names {
		outcomes, err := o.outcomes(s, name, scripts, args, files, verbose)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		for _, outcome := range outcomes {
			if strings.HasPrefix(name, "lab:") {
				outcome.Host = name
			}
		}
		all = append(all, outcomes...)
		if !o.JSON {
			printOutcomes(s, name, outcomes)
		}
	}
	status := statusYes
	for _, outcome := range all {
		switch {
		case len(outcome.Failures) > 0:
			status = statusNo
		case len(outcome.NotSettled) > 0 && status == statusYes:
			status = statusUnknown
		}
	}
	if o.JSON {
		return status, s.printJSON(all)
	}
	return status, nil
}

// hostNames puts together what the commas of a list took apart: kernel
// parameters, and options of the board, belong to the host before them.
func hostNames(words []string) []string {
	var names []string
	for _, word := range words {
		if word == "kvm" || strings.Contains(word, ":") || len(names) == 0 {
			names = append(names, word)
		} else {
			names[len(names)-1] += "," + word
		}
	}
	return names
}

// checkHostName finds what is wrong with a name before anything runs.
func checkHostName(name string) error {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "kvm":
		return nil
	case "model":
		_, err := model.Open(rest)
		return err
	case "lab":
		if version, cpu, ok := strings.Cut(rest, "/"); ok && version != "" && cpu != "" {
			return nil
		}
	}
	return fmt.Errorf("--on %s: want model:VERSION/CPU, kvm or lab:VERSION/CPU", name)
}

func (o *onHosts) outcomes(s *session, name string, scripts []*scenario.Script, args []string, files []lab.File, verbose bool) ([]*scenario.Outcome, error) {
	kind, rest, _ := strings.Cut(name, ":")
	if kind == "lab" {
		s.tidy()
		if verbose {
			args = append(slices.Clone(args), "-v")
		}
		outcomes, told, err := labOutcomes(s.ctx, rest, args, files)
		if verbose {
			fmt.Fprint(s.stderr, plain.Lines(told))
		}
		return outcomes, err
	}
	hosts, err := o.open(kind, rest)
	if err != nil {
		return nil, err
	}
	for _, host := range hosts {
		defer host.Close()
	}
	if kind == "kvm" {
		name = hosts[0].String()
	}
	var trace func(string)
	if verbose {
		trace = func(text string) { fmt.Fprintln(s.stderr, text) }
	}
	var outcomes []*scenario.Outcome
	for _, script := range scripts {
		outcome, err := script.RunOnAny(s.ctx, name, hosts, trace)
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, outcome)
	}
	return outcomes, nil
}

// open returns the host, and of the model one for each kernel that it may be.
func (o *onHosts) open(kind, rest string) ([]vm.Host, error) {
	if kind != "model" {
		host, err := openKVM(o.Device)
		return []vm.Host{host}, err
	}
	any, err := model.OpenAny(rest)
	hosts := make([]vm.Host, len(any))
	for i, host := range any {
		hosts[i] = host
	}
	return hosts, err
}

// labOutcomes runs the same command inside a host of the lab, and also returns what it told
// on its standard error. Words after a comma are kernel parameters; "mte=on" is the board's.
func labOutcomes(ctx context.Context, name string, args []string, files []lab.File) (_ []*scenario.Outcome, told string, _ error) {
	version, cpu, _ := strings.Cut(name, "/")
	cpu, parameters, _ := strings.Cut(cpu, ",")
	host := lab.Host{Kernel: version, CPU: cpu}
	for word := range strings.SplitSeq(parameters, ",") {
		switch {
		case word == "":
		case strings.HasPrefix(word, "mte="):
			host.Options = append(host.Options, word)
		default:
			host.Append = append(host.Append, word)
		}
	}
	result, err := lab.Run(ctx, host, lab.Job{Args: args, Files: files, Env: unwatched})
	if err != nil {
		return nil, "", err
	}
	if result.NotKept > 0 {
		return nil, "", fmt.Errorf("guise there wrote more than %d MiB of outcomes", lab.MaxKept>>20)
	}
	if result.Status != statusYes && result.Status != statusNo {
		return nil, "", fmt.Errorf("guise there ended with status %d: %s", result.Status, bytes.TrimSpace(result.Stderr))
	}
	var outcomes []*scenario.Outcome
	if err := json.Unmarshal(result.Stdout, &outcomes); err != nil {
		return nil, "", errors.Join(errors.New("what came back is no list of outcomes"), err)
	}
	return outcomes, string(result.Stderr), nil
}

func printOutcomes(s *session, name string, outcomes []*scenario.Outcome) {
	checked, failed, left, open := 0, 0, 0, 0
	for _, o := range outcomes {
		checked, failed, left, open = checked+o.Checked, failed+len(o.Failures), left+o.Left, open+len(o.NotSettled)
	}
	switch {
	case failed > 0:
		fmt.Fprintf(s.stdout, "%s fails: %d of %s", name, failed, count(checked, "assertion"))
	case open > 0:
		fmt.Fprintf(s.stdout, "%s is not settled: %s", name, count(checked, "assertion"))
	default:
		fmt.Fprintf(s.stdout, "%s passes: %s", name, count(checked, "assertion"))
	}
	if open > 0 {
		fmt.Fprintf(s.stdout, "; %d depend on which kernel it is", open)
	}
	if left > 0 {
		fmt.Fprintf(s.stdout, "; %d could not be put to it", left)
	}
	fmt.Fprintln(s.stdout)
	for _, o := range outcomes {
		for _, f := range o.Failures {
			fmt.Fprintf(s.stdout, "  %s:%d: %s\n      want %s, got %s\n", plain.Line(o.Script), f.Line, plain.Line(f.Text), plain.Line(f.Want), plain.Line(f.Got))
		}
		for _, u := range o.NotSettled {
			fmt.Fprintf(s.stdout, "  %s:%d: %s\n      want %s; not settled: %s\n", plain.Line(o.Script), u.Line, plain.Line(u.Text), plain.Line(u.Want), plain.Line(scenario.Results(u.Got)))
		}
	}
}
