package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// Outcome is what came of a script.
type Outcome struct {
	Script string `json:"script"`
	Host   string `json:"host"`
	// Checked counts the lines whose outcome was judged; Passed of them came
	// out as they must.
	Checked int `json:"checked"`
	Passed  int `json:"passed"`
	// Left counts lines that this host cannot do or the model does not say.
	Left     int       `json:"left"`
	Failures []Failure `json:"failures"`
	// NotSettled are the lines that come out as they must in some of the kernels
	// that the host's version may be, and otherwise in others. They are counted
	// in Checked and not in Passed.
	NotSettled []Unsettled `json:"notSettled,omitempty"`
	// Skipped is why the script ended early, or "".
	Skipped string `json:"skipped,omitempty"`
}

// Failure is a line that came out otherwise.
type Failure struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Unsettled is a line of which it is not known how it comes out.
type Unsettled struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Want string `json:"want"`
	// Got are the results, oldest kernel first.
	Got []Got `json:"got"`
}

// Got is what a line gives from a kernel on, until the next; several words where
// the change log leaves open which.
type Got struct {
	Kernel string   `json:"kernel"`
	Words  []string `json:"words"`
}

// runner is a script under way.
type runner struct {
	ctx     context.Context
	host    vm.Host
	version kernel.Version
	outcome *Outcome
	setup   guise.Setup
	machine vm.VM
	limits  map[arm64.ID]uint64
	trace   func(text string)
	judged  []judgement
	shown   string // what the step gave, for the trace
}

// judgement is what came of a line. Left: it could not be judged. Told is got with what the
// step gave beside.
type judgement struct {
	line                  int
	text, want, got, told string
	left                  bool
}

// Run runs a script on a host. trace, where not nil, is told each line with what
// came of it. An error means that the host could not be asked, or that the
// script makes no sense there; what the script finds is in the outcome.
func (s *Script) Run(ctx context.Context, host vm.Host, trace func(text string)) (*Outcome, error) {
	r, err := s.run(ctx, host, trace)
	if r == nil {
		return nil, err
	}
	return r.outcome, err
}

func (s *Script) run(ctx context.Context, host vm.Host, trace func(text string)) (*runner, error) {
	r := &runner{ctx: ctx, host: host, outcome: &Outcome{Script: s.Name, Host: host.String(), Failures: []Failure{}}, trace: trace}
	describer, ok := host.(vm.Describer)
	if !ok {
		return nil, fmt.Errorf("%s: %w: it does not tell its kernel's version", host, vm.ErrNotSupported)
	}
	facts, err := describer.Describe()
	if err == nil {
		r.version, err = kernel.ParseVersion(facts.Kernel)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	defer r.drop()
	for i := range s.lines {
		if err := r.line(&s.lines[i]); err != nil {
			return r, fmt.Errorf("%s:%d: %w", s.Name, s.lines[i].number, err)
		}
		if r.outcome.Skipped != "" {
			break
		}
	}
	return r, nil
}

func (r *runner) drop() {
	if r.machine != nil {
		_ = r.machine.Close()
		r.machine = nil
	}
}

func (r *runner) line(l *line) error {
	for _, c := range l.conditions {
		holds, err := r.holds(c.text)
		if err != nil {
			return err
		}
		if holds == c.negated {
			return nil
		}
	}
	switch l.kind {
	case lineSkip:
		r.outcome.Skipped = l.text
		return nil
	case lineVM:
		return r.newVM(l)
	}
	if r.machine == nil {
		return errors.New("there is no VM; a line such as \"vm base\" makes one")
	}
	return r.step(l)
}

func (r *runner) newVM(l *line) error {
	r.drop()
	r.shown = ""
	r.setup, r.limits = l.setup, map[arm64.ID]uint64{}
	machine, err := r.host.NewVM(r.ctx, l.setup, l.vcpus)
	if err == nil {
		r.machine = machine
		if l.incomplete {
			completer, ok := machine.(vm.Completer)
			if !ok {
				return fmt.Errorf("%s: %w: its vCPUs are always completed", r.host, vm.ErrNotSupported)
			}
			completer.LeaveIncomplete()
		}
	}
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return err
	}
	got := "made"
	if errno != 0 {
		got = ErrnoName(errno)
	}
	want := "made"
	if l.expect.kind == expectErrno {
		want = ErrnoName(l.expect.errno)
	}
	r.judge(l, want, got)
	return nil
}

// judge counts a line and keeps it where it failed.
func (r *runner) judge(l *line, want, got string) {
	r.outcome.Checked++
	r.note(judgement{line: l.number, text: l.text, want: want, got: got})
	if want == got {
		r.outcome.Passed++
		return
	}
	r.outcome.Failures = append(r.outcome.Failures, Failure{l.number, l.text, want, got})
}

func (r *runner) step(l *line) error {
	step := l.step
	if step.Verb == Set {
		value, err := r.value(l, l.value, true)
		var refused *vm.RegisterError
		if errors.As(err, &refused) {
			// What is to be written is read from the host first.
			r.shown = ""
			r.judge(l, r.wantErrno(l), ErrnoName(refused.Errno))
			return nil
		}
		if err != nil {
			return err
		}
		step.Value = value
	}
	result, err := step.Do(r.ctx, r.machine)
	if err != nil {
		return err
	}
	r.shown = shown(&step, &result)
	if result.Missing {
		r.leave(l)
		return nil
	}
	if step.Verb == Enter && l.expect.kind == expectDone {
		l = &line{number: l.number, text: l.text, step: l.step, expect: expectation{kind: expectErrno, errno: syscall.Errno(4)}}
	}
	if l.expect.kind == expectErrno || result.Errno != 0 {
		r.judge(l, r.wantErrno(l), doneOr(result.Errno))
		return nil
	}
	return r.judgeResult(l, &step, &result)
}

// leave counts a line that this host cannot do, or of which the model does not know what
// comes.
func (r *runner) leave(l *line) {
	r.outcome.Left++
	r.note(judgement{line: l.number, text: l.text, got: "left: cannot be done here, or is not known", left: true})
}

// note keeps what came of a line, with what the step gave beside, and reports it.
func (r *runner) note(j judgement) {
	j.told = j.got
	if r.shown != "" && r.shown != j.got && !j.left {
		j.told += "  " + r.shown
	}
	r.judged = append(r.judged, j)
	if r.trace != nil {
		r.trace(fmt.Sprintf("%-60s %s", j.text, j.told))
	}
}

func doneOr(errno syscall.Errno) string {
	if errno == 0 {
		return "done"
	}
	return ErrnoName(errno)
}

func (r *runner) wantErrno(l *line) string {
	if l.expect.kind == expectErrno {
		return ErrnoName(l.expect.errno)
	}
	return "done"
}

// judgeResult judges what a step gave that was not refused.
func (r *runner) judgeResult(l *line, step *Step, result *Result) error {
	switch l.expect.kind {
	case expectHas, expectLacks:
		want, got := "lists it", "does not list it"
		if l.expect.kind == expectLacks {
			want = "does not list it"
		}
		if slices.Contains(result.Values, uint64(l.expect.id)) {
			got = "lists it"
		}
		r.judge(l, want, got)
		return nil
	case expectDone:
		r.judge(l, "done", "done")
		return nil
	}
	if step.Verb == Guest {
		return r.judgeGuest(l, &result.Trace.Records[0])
	}
	return r.judgeValue(l, result.Values)
}

// judgeValue judges a value of one word or more.
func (r *runner) judgeValue(l *line, words []uint64) error {
	want, err := r.value(l, l.expect.value, false)
	if err != nil {
		return err
	}
	if l.field != nil {
		words = []uint64{l.field.Get(words[0])}
	}
	r.judge(l, fmt.Sprintf("%#x", want), number(words))
	return nil
}

func (r *runner) judgeGuest(l *line, record *probe.Record) error {
	if record.Outcome == probe.NotRun {
		r.leave(l)
		return nil
	}
	if l.expect.kind == expectValue && record.Outcome == probe.Completed {
		return r.judgeValue(l, record.Values[:1])
	}
	want := map[expectKind]string{
		expectUndef: "undef", expectIDST: "idst", expectRuns: "runs", expectVectors: "vectors", expectValue: "a value",
	}[l.expect.kind]
	got := "runs"
	if record.Outcome == probe.Exception {
		switch {
		case record.IsUndefined():
			got = "undef"
		case probe.Class(record.Syndrome) == 0x18:
			got = "idst"
		case probe.Class(record.Syndrome) == 0x16:
			got = "vectors"
		default:
			got = probe.ExplainSyndrome(record.Syndrome)
		}
	}
	r.judge(l, want, got)
	return nil
}

// value works out what a word stands for. For Set of one field, the result is
// the whole register with that field replaced.
func (r *runner) value(l *line, word valueWord, write bool) (uint64, error) {
	v := word.bits
	switch word.base {
	case "limit":
		limit, err := r.limit(l.step.ID)
		if err != nil {
			return 0, err
		}
		v = limit
	case "get":
		now, err := r.machine.Get(l.step.VCPU, l.step.ID)
		if err != nil {
			return 0, err
		}
		v = now
	}
	if word.base != "" && l.field != nil {
		v = l.field.Get(v)
	}
	v += uint64(word.number)
	if l.field == nil {
		return v, nil
	}
	v &= l.field.Mask() >> l.field.LSB
	if !write {
		return v, nil
	}
	now, err := r.machine.Get(l.step.VCPU, l.step.ID)
	if err != nil {
		return 0, err
	}
	return l.field.Put(now, v), nil
}

// limit is what a new VM of the setup shows.
func (r *runner) limit(id arm64.ID) (uint64, error) {
	if v, ok := r.limits[id]; ok {
		return v, nil
	}
	fresh, err := r.host.NewVM(r.ctx, r.setup, 1)
	if err != nil {
		return 0, err
	}
	defer fresh.Close()
	v, err := fresh.Get(0, id)
	if err == nil {
		r.limits[id] = v
	}
	return v, err
}

// comparisons are the operators of conditions, longest first.
var comparisons = []struct {
	word string
	is   func(sign int) bool
}{
	{">=", func(s int) bool { return s >= 0 }}, {"<=", func(s int) bool { return s <= 0 }},
	{"==", func(s int) bool { return s == 0 }}, {"!=", func(s int) bool { return s != 0 }},
	{"<", func(s int) bool { return s < 0 }}, {">", func(s int) bool { return s > 0 }},
}

// splitCondition takes a condition apart: what is compared, how, and with what.
// A condition without operator names a setup that the host must accept.
func splitCondition(text string) (left, operator, right string) {
	for _, c := range comparisons {
		if l, r, ok := strings.Cut(text, c.word); ok {
			return strings.TrimSpace(l), c.word, strings.TrimSpace(r)
		}
	}
	return text, "", ""
}

// checkCondition finds what is wrong with a condition before anything runs.
func checkCondition(text string) error {
	left, operator, right := splitCondition(text)
	if operator == "" {
		_, err := conditionSetup(left)
		return err
	}
	if left == "" {
		_, err := kernel.ParseVersion(right)
		return err
	}
	_, field, err := parseRegister(left)
	if err == nil && field == nil {
		err = fmt.Errorf("%s: want a field", left)
	}
	if err == nil {
		_, err = parseValue(right)
	}
	return err
}

// conditionSetup reads a setup: features joined with +, or "protected".
func conditionSetup(word string) (guise.Setup, error) {
	if word == "protected" {
		return guise.Setup{Protected: true}, nil
	}
	features, err := parseFeatures(word)
	return guise.Setup{Features: features}, err
}

// holds judges a condition: [>=6.12] of the kernel, [ID_AA64PFR0_EL1.EL0==2] of
// what a plain VM shows, [sve] or [protected] of a setup that the host accepts.
func (r *runner) holds(text string) (bool, error) {
	left, operator, right := splitCondition(text)
	if operator == "" {
		setup, err := conditionSetup(left)
		if err != nil {
			return false, err
		}
		machine, err := r.host.NewVM(r.ctx, setup, 1)
		if err != nil {
			return false, nil
		}
		return true, machine.Close()
	}
	sign := 0
	if left == "" {
		v, err := kernel.ParseVersion(right)
		if err != nil {
			return false, err
		}
		sign = r.version.Compare(v)
	} else {
		id, field, err := parseRegister(left)
		if err != nil {
			return false, err
		}
		plain, err := r.host.NewVM(r.ctx, guise.Setup{}, 1)
		if err != nil {
			return false, err
		}
		defer plain.Close()
		value, err := plain.Get(0, id)
		if err != nil {
			return false, nil
		}
		want, err := parseValue(right)
		if err != nil {
			return false, err
		}
		sign = field.Compare(field.Get(value), want.bits)
	}
	for _, c := range comparisons {
		if c.word == operator {
			return c.is(sign), nil
		}
	}
	return false, nil
}
