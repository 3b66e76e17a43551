package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/guise-project/guise/internal/atomicfile"
	"github.com/guise-project/guise/internal/plain"
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
	hosts := lab.Hosts(c.host("", ""), c.Kernels, c.CPUs)
	started, ended, finish := s.showProgress(hosts)
	cells := lab.Matrix(s.ctx, hosts, job, started, ended)
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

// showProgress tells on standard error how far a matrix is: a moving picture on
// a terminal, a line for each answer elsewhere.
func (s *session) showProgress(hosts []lab.Host) (started, ended func(int, lab.Cell), finish func()) {
	if !isTerminal(s.stderr) {
		done := 0
		return nil, func(_ int, cell lab.Cell) {
			done++
			a := answerOf(cell)
			fmt.Fprintf(s.stderr, "%d/%d %s: status %d after %.1f s\n", done, len(hosts), cell.Host.Name(), a.Status, a.Seconds)
		}, func() {}
	}
	writer := progress.NewWriter()
	writer.SetOutputWriter(s.stderr)
	writer.SetAutoStop(false)
	writer.SetNumTrackersExpected(len(hosts) + 1)
	writer.Style().Visibility.Value = false
	writer.Style().Visibility.Percentage = false
	writer.Style().Options.TimeInProgressPrecision = time.Second
	all := &progress.Tracker{Message: fmt.Sprintf("%d hosts", len(hosts)), Total: int64(len(hosts))}
	writer.AppendTracker(all)
	trackers := make([]*progress.Tracker, len(hosts))
	go writer.Render()
	started = func(place int, cell lab.Cell) {
		trackers[place] = &progress.Tracker{Message: cell.Host.Name(), RemoveOnCompletion: true}
		writer.AppendTracker(trackers[place])
	}
	ended = func(place int, cell lab.Cell) {
		all.Increment(1)
		if a := answerOf(cell); a.Status == statusYes {
			trackers[place].MarkAsDone()
		} else {
			trackers[place].MarkAsErrored()
		}
	}
	finish = func() {
		writer.Stop()
		for writer.IsRenderInProgress() {
			time.Sleep(time.Millisecond)
		}
	}
	return started, ended, finish
}
