package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/guise-project/guise/internal/atomicfile"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/internal/progress"
	"github.com/guise-project/guise/lab"
)

type labMatrixCommand struct {
	Kernels   []string `required:"" placeholder:"VERSION" help:"Kernels: versions that were set up, or paths of images."`
	CPUs      []string `name:"cpus" required:"" placeholder:"MODEL" help:"CPU models in QEMU's spelling."`
	OutputDir string   `name:"output-dir" placeholder:"DIR" help:"Where files the hosts write go: DIR/KERNEL-CPU/FILE."`
	JSON      bool     `help:"Print the answers as JSON."`
	labHost
	labJob
}

// matrixAnswer is one host's answer for programs.
type matrixAnswer struct {
	Kernel   string  `json:"kernel"`
	CPU      string  `json:"cpu"`
	Release  string  `json:"release,omitempty"`
	QEMU     string  `json:"qemu,omitempty"`
	Status   int     `json:"status"`
	Stdout   string  `json:"stdout"`
	Stderr   string  `json:"stderr"`
	Error    string  `json:"error,omitempty"`
	NotKept  int64   `json:"notKept,omitempty"` // bytes of stdout and stderr
	Seconds  float64 `json:"seconds"`
	Restored bool    `json:"restored"`
}

func (c *labMatrixCommand) Run(s *session) (int, error) {
	job, err := c.job()
	if err != nil {
		return 0, err
	}
	if len(job.Outputs) > 0 && c.OutputDir == "" {
		return 0, &inputError{&hintedError{errors.New("every host would write " + strings.Join(job.Outputs, ", ") + " here"), "--output-dir DIR gives each its own directory"}}
	}
	if info, err := os.Stat(c.OutputDir); err == nil && !info.IsDir() {
		return 0, &inputError{fmt.Errorf("--output-dir %s: is not a directory", c.OutputDir)}
	}
	for _, kernel := range c.Kernels {
		if err := checkKernel(kernel); err != nil {
			return 0, err
		}
	}
	s.tidy()
	job.Env = append(job.Env, unwatched...)
	hosts := lab.Hosts(c.host("", ""), c.Kernels, c.CPUs)
	ended, finish := s.showProgress(hosts)
	cells := lab.Matrix(s.ctx, hosts, job, nil, ended)
	finish()
	for _, cell := range cells {
		// What this machine lacks, every host lacks: say it once, with the mend.
		var missing *lab.MissingError
		if errors.As(cell.Err, &missing) {
			return 0, labError(cell.Err)
		}
		if err := writeOutputs(filepath.Join(c.OutputDir, hostDirectory(cell.Host)), cell.Result.Files); err != nil {
			return 0, err
		}
	}
	if c.JSON {
		answers := make([]matrixAnswer, 0, len(cells))
		for _, cell := range cells {
			answers = append(answers, answerOf(cell))
		}
		return matrixStatus(cells), s.printJSON(answers)
	}
	rows := [][]string{{"kernel", "cpu", "status", "seconds", "answer"}}
	for _, cell := range cells {
		a := answerOf(cell)
		rows = append(rows, []string{a.Kernel, a.CPU, strconv.Itoa(a.Status), fmt.Sprintf("%.1f", a.Seconds), summary(a)})
	}
	columns(s.stdout, rows, 3)
	s.explainFailures(cells)
	return matrixStatus(cells), nil
}

// explainFailures prints what hosts that failed left to read.
func (s *session) explainFailures(cells []lab.Cell) {
	for _, cell := range cells {
		if n := cell.Result.NotKept; n > 0 {
			fmt.Fprintf(s.stderr, "\nguise: lab host %s: %d bytes of its output were not kept; it wrote more than %d MiB\n", cell.Host.Name(), n, lab.MaxKept>>20)
		}
		if cell.Err != nil {
			fmt.Fprintf(s.stderr, "\nguise: %s\n", plain.Lines(cell.Err.Error()))
		}
	}
}

func answerOf(cell lab.Cell) matrixAnswer {
	r := cell.Result
	a := matrixAnswer{
		Kernel: cell.Host.Kernel, CPU: cell.Host.CPU, Release: r.Release, QEMU: r.QEMU,
		Status: r.Status, Stdout: string(r.Stdout), Stderr: string(r.Stderr),
		NotKept: r.NotKept, Seconds: r.Elapsed.Round(time.Millisecond).Seconds(), Restored: r.Restored,
	}
	switch {
	case cell.Err != nil:
		a.Status, a.Error = statusCannot, cell.Err.Error()
	case r.Signal != 0:
		a.Status, a.Error = statusCannot, fmt.Sprintf("signal %d ended the command", r.Signal)
	}
	return a
}

// summary is the first line a host has to say, short enough for a table.
func summary(a matrixAnswer) string {
	for _, text := range []string{a.Error, a.Stdout, a.Stderr} {
		if line, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); line != "" {
			line = plain.Line(line)
			if runes := []rune(line); len(runes) > 60 {
				line = string(runes[:59]) + "…"
			}
			return line
		}
	}
	return ""
}

// matrixStatus folds the answers of many hosts: any no is no; then what could
// not be done, then wrong usage, then unknown.
func matrixStatus(cells []lab.Cell) int {
	has := map[int]bool{}
	for _, cell := range cells {
		has[answerOf(cell).Status] = true
	}
	for _, status := range []int{statusNo, statusCannot, statusUsage, statusUnknown} {
		if has[status] {
			return status
		}
	}
	if len(has) == 1 && has[statusYes] {
		return statusYes
	}
	return statusCannot // a program of the user's own ended with a status of its own
}

// hostDirectory names a directory after a host: 6.12-neoverse-v1.
func hostDirectory(h lab.Host) string {
	return filepath.Base(h.Kernel) + "-" + h.CPU
}

// writeOutputs writes the files a host sent back below a directory, each by
// its last name.
func writeOutputs(directory string, files []lab.File) error {
	for _, file := range files {
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return err
		}
		path := filepath.Join(directory, filepath.Base(file.Path))
		if err := atomicfile.Write(path, file.Content, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// showProgress tells on standard error how far a matrix is: how many hosts are
// done, and a line for each. The returned functions are as lab.Matrix wants them,
// and called when it is over.
func (s *session) showProgress(hosts []lab.Host) (ended func(int, lab.Cell), finish func()) {
	all := progress.Start(s.ctx, "hosts", int64(len(hosts)), progress.Things)
	done := 0
	ended = func(_ int, cell lab.Cell) {
		done++
		all.Add(1)
		a := answerOf(cell)
		s.say(fmt.Sprintf("%d/%d %s: status %d after %.1f s", done, len(hosts), cell.Host.Name(), a.Status, a.Seconds))
	}
	return ended, all.Done
}
