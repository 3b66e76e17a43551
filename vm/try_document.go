package vm

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/jsonread"
)

// Schemas of the documents that carry questions to a host and answers back.
const (
	SchemaQuestions = "guise/questions/v1"
	SchemaAnswers   = "guise/answers/v1"
)

type questionsDocument struct {
	Questions []questionDocument `json:"questions"`
	Schema    string             `json:"schema"`
}

// questionsRead and answersRead are what is read: the elements one by one.
type questionsRead struct {
	Questions []Question `json:"questions"`
	Schema    string     `json:"schema"`
}

type answersRead struct {
	Answers []Answer `json:"answers"`
	Host    string   `json:"host"`
	Schema  string   `json:"schema"`
}

// Limits of documents that are read: far beyond every value of every field of a
// host, which are some 14,000 writes.
const (
	maxQuestions = 1 << 16
	maxWrites    = 1 << 18 // of all questions; so many words in all
	maxRefusals  = 1 << 16 // of all answers
)

// questionDocument has a contract or a setup. A write reads
// "ID_AA64PFR0_EL1.EL0=0x1", for a whole register "MIDR_EL1=0x413fd0c1".
type questionDocument struct {
	Contract jsontext.Value `json:"contract,omitzero"`
	Setup    *setupDocument `json:"setup,omitzero"`
	Writes   []string       `json:"writes,omitzero"`
}

type setupDocument struct {
	Capabilities []string        `json:"capabilities,omitzero"`
	Features     []guise.Feature `json:"features,omitzero"`
	Protected    bool            `json:"protected,omitzero"`
	VGIC         int             `json:"vgic"`
}

type answersDocument struct {
	Answers []answerDocument `json:"answers"`
	Host    string           `json:"host"`
	Schema  string           `json:"schema"`
}

// answerDocument has a write's answer as "0x1" where the value was stored and
// stays, "0x1 then 0x0" where it changes when a vCPU runs, or as an errno's
// name.
type answerDocument struct {
	Changed  []refusalDocument `json:"changed,omitzero"`
	NotMade  string            `json:"notMade,omitzero"`
	Refusals []refusalDocument `json:"refusals,omitzero"`
	Writes   []string          `json:"writes,omitzero"`
}

type refusalDocument struct {
	Errno    string `json:"errno,omitzero"`
	Field    string `json:"field,omitzero"`
	Register string `json:"register"`
	There    string `json:"there"`
	Wanted   string `json:"wanted"`
}

// String gives the write as documents have it: ID_AA64PFR0_EL1.EL0=0x1.
func (w *Write) String() string { return w.Name() + "=" + tryNumber(w.Value) }

func tryNumber(value uint64) string { return "0x" + strconv.FormatUint(value, 16) }

func parseTryNumber(text string) (uint64, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	value, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil || tryNumber(value) != text {
		return 0, fmt.Errorf("%q: want 0x and lower-case hex digits, 64 bits at most", text)
	}
	return value, nil
}

func parseWrite(text string) (Write, error) {
	name, number, ok := strings.Cut(text, "=")
	value, err := parseTryNumber(number)
	if !ok || name == "" || err != nil {
		return Write{}, fmt.Errorf("write %q: want REGISTER.FIELD=0xVALUE or REGISTER=0xVALUE", text)
	}
	register, field, _ := strings.Cut(name, ".")
	return Write{Register: register, Field: field, Value: value}, nil
}

// errnoNames are the errnos that KVM answers a register access with.
var errnoNames = []struct {
	errno syscall.Errno
	name  string
}{
	{syscall.EPERM, "EPERM"}, {syscall.ENOENT, "ENOENT"}, {syscall.ENOMEM, "ENOMEM"}, {syscall.EFAULT, "EFAULT"},
	{syscall.EBUSY, "EBUSY"}, {syscall.ENODEV, "ENODEV"}, {syscall.EINVAL, "EINVAL"}, {syscall.ENOSYS, "ENOSYS"},
}

// ErrnoName gives an errno as the kernel spells it, "errno 95" for one that KVM
// does not answer a register access with, and "" for 0.
func ErrnoName(errno syscall.Errno) string {
	for _, known := range errnoNames {
		if known.errno == errno {
			return known.name
		}
	}
	if errno == 0 {
		return ""
	}
	return fmt.Sprintf("errno %d", int(errno))
}

// parseErrno is the inverse of ErrnoName.
func parseErrno(text string) (syscall.Errno, error) {
	if text == "" {
		return 0, nil
	}
	for _, known := range errnoNames {
		if known.name == text {
			return known.errno, nil
		}
	}
	digits, ok := strings.CutPrefix(text, "errno ")
	number, err := strconv.ParseUint(digits, 10, 12)
	if !ok || err != nil || number == 0 {
		return 0, fmt.Errorf("errno %q: want the kernel's name, as EINVAL", text)
	}
	return syscall.Errno(number), nil
}

// MarshalQuestions writes questions as a document.
func MarshalQuestions(questions []Question) ([]byte, error) {
	d := questionsDocument{Schema: SchemaQuestions}
	for i := range questions {
		q := &questions[i]
		var document questionDocument
		if q.Contract != nil {
			document.Contract = q.Contract.Marshal()
		} else {
			document.Setup = &setupDocument{q.Setup.Capabilities, q.Setup.Features, q.Setup.Protected, q.Setup.VGIC}
		}
		for j := range q.Writes {
			document.Writes = append(document.Writes, q.Writes[j].String())
		}
		d.Questions = append(d.Questions, document)
	}
	data, err := json.Marshal(&d, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(data, '\n'), err
}

// ReadQuestions reads questions. File names the document in errors.
func ReadQuestions(file string, data []byte) ([]Question, error) {
	var d questionsRead
	one := func(in *jsontext.Decoder, to *Question) error {
		var document questionDocument
		if err := json.UnmarshalDecode(in, &document); err != nil {
			return err
		}
		return to.read(&document)
	}
	if err := readTry(file, data, &d, &d.Schema, SchemaQuestions, jsonread.ListFunc(maxQuestions, "questions", one)); err != nil {
		return nil, err
	}
	return d.Questions, nil
}

// readTry reads a document whose elements are read by a function of their own.
func readTry(file string, data []byte, document any, schema *string, want string, elements *json.Unmarshalers) error {
	if err := guise.CheckSize(file, data, want); err != nil {
		return err
	}
	if err := jsonread.Into(data, document, elements, jsonread.List[string](maxWrites, "words"), jsonread.List[refusalDocument](maxRefusals, "refusals"), jsonread.List[guise.Feature](maxWrites, "features")); err != nil {
		return guise.NewDocumentError(file, data, err)
	}
	if *schema != want {
		return &guise.DocumentError{File: file, Message: fmt.Sprintf("schema: want %s, there is %q", want, *schema)}
	}
	return nil
}

func (q *Question) read(d *questionDocument) (err error) {
	if (d.Contract == nil) == (d.Setup == nil) {
		return errors.New("want a contract or a setup")
	}
	if d.Contract != nil {
		q.Contract, err = guise.ReadContract("contract", d.Contract)
		var inside *guise.DocumentError
		if errors.As(err, &inside) {
			// Lines of a part would be taken for the document's.
			return fmt.Errorf("contract: %s", inside.Message)
		}
		if err != nil {
			return err
		}
	} else {
		q.Setup = guise.Setup{Capabilities: d.Setup.Capabilities, Features: d.Setup.Features, Protected: d.Setup.Protected, VGIC: d.Setup.VGIC}
		if vgic := q.Setup.VGIC; vgic != 0 && vgic != 2 && vgic != 3 {
			return fmt.Errorf("vgic: %d: want 0, 2 or 3", vgic)
		}
		for _, feature := range q.Setup.Features {
			if !slices.Contains(guise.Features, feature) {
				return fmt.Errorf("features: %q: want some of %v", feature, guise.Features)
			}
		}
	}
	for _, text := range d.Writes {
		write, err := parseWrite(text)
		if err != nil {
			return err
		}
		q.Writes = append(q.Writes, write)
	}
	return nil
}

// MarshalAnswers writes the answers of a host as a document.
func MarshalAnswers(host string, answers []Answer) ([]byte, error) {
	d := answersDocument{Schema: SchemaAnswers, Host: host}
	for i := range answers {
		a := &answers[i]
		document := answerDocument{NotMade: a.NotMade, Refusals: refusalDocuments(a.Refusals), Changed: refusalDocuments(a.Changed)}
		for j := range a.Writes {
			document.Writes = append(document.Writes, a.Writes[j].String())
		}
		d.Answers = append(d.Answers, document)
	}
	data, err := json.Marshal(&d, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(data, '\n'), err
}

// String gives the answer as documents have it: "0x1", "0x1 then 0x0", "EINVAL".
func (w *Written) String() string {
	switch {
	case w.Errno != 0:
		return ErrnoName(w.Errno)
	case w.Shown != w.Stored:
		return tryNumber(w.Stored) + " then " + tryNumber(w.Shown)
	}
	return tryNumber(w.Stored)
}

func parseWritten(text string) (w Written, err error) {
	if !strings.HasPrefix(text, "0x") {
		w.Errno, err = parseErrno(text)
		if w.Errno == 0 && err == nil {
			err = errors.New("an answer is empty")
		}
		return w, err
	}
	stored, shown, changed := strings.Cut(text, " then ")
	if w.Stored, err = parseTryNumber(stored); err != nil {
		return w, err
	}
	w.Shown = w.Stored
	if changed {
		w.Shown, err = parseTryNumber(shown)
	}
	return w, err
}

func refusalDocuments(refusals []Refusal) []refusalDocument {
	var documents []refusalDocument
	for _, r := range refusals {
		documents = append(documents, refusalDocument{ErrnoName(r.Errno), r.Field, r.Register, tryNumber(r.There), tryNumber(r.Wanted)})
	}
	return documents
}

func parseRefusals(documents []refusalDocument) ([]Refusal, error) {
	var refusals []Refusal
	for _, d := range documents {
		errno, err1 := parseErrno(d.Errno)
		there, err2 := parseTryNumber(d.There)
		wanted, err3 := parseTryNumber(d.Wanted)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Register, err)
		}
		refusals = append(refusals, Refusal{Register: d.Register, Field: d.Field, Wanted: wanted, There: there, Errno: errno})
	}
	return refusals, nil
}

// ReadAnswers reads the answers of a host. File names the document in errors.
func ReadAnswers(file string, data []byte) (host string, answers []Answer, err error) {
	var d answersRead
	one := func(in *jsontext.Decoder, to *Answer) error {
		var document answerDocument
		if err := json.UnmarshalDecode(in, &document); err != nil {
			return err
		}
		return to.read(&document)
	}
	if err := readTry(file, data, &d, &d.Schema, SchemaAnswers, jsonread.ListFunc(maxQuestions, "answers", one)); err != nil {
		return "", nil, err
	}
	return d.Host, d.Answers, nil
}

func (a *Answer) read(d *answerDocument) (err error) {
	a.NotMade = d.NotMade
	if a.Refusals, err = parseRefusals(d.Refusals); err != nil {
		return err
	}
	if a.Changed, err = parseRefusals(d.Changed); err != nil {
		return err
	}
	for _, text := range d.Writes {
		written, err := parseWritten(text)
		if err != nil {
			return err
		}
		a.Writes = append(a.Writes, written)
	}
	return nil
}
