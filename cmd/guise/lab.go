package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/guise-project/guise/internal/atomicfile"
	"github.com/guise-project/guise/internal/plain"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/debian"
)

// labCommand works with real kernels under QEMU.
type labCommand struct {
	Setup  labSetupCommand  `cmd:"" help:"Fetch and check kernels; once."`
	Run    labRunCommand    `cmd:"" help:"Run a guise command inside a host of the lab."`
	Matrix labMatrixCommand `cmd:"" help:"Run a guise command on every kernel with every CPU."`
}

type labSetupCommand struct {
	Kernels []string `default:"5.10,6.1,6.12,6.18,7.2" placeholder:"VERSION" help:"Kernel versions, as 6.12 or 6.12.95: the newest package that matches each; ${default} unless given."`
	Arch    string   `default:"arm64" enum:"arm64,ppc64le" help:"Architecture: ${enum}."`
	Refresh bool     `help:"Look for newer packages than those already here."`
}

func (c *labSetupCommand) Run(s *session) (int, error) {
	for _, version := range c.Kernels {
		if _, err := debian.ParseVersion(version); err != nil {
			return 0, &inputError{err}
		}
	}
	s.tidy()
	kernels, err := lab.Setup(s.ctx, c.Arch, c.Kernels, c.Refresh, s.say)
	if err != nil {
		return 0, err
	}
	var rows [][]string
	for i, k := range kernels {
		passed := ""
		if len(k.PassedOver) > 0 {
			passed = "the mirror did not have " + strings.Join(k.PassedOver, ", ")
		}
		rows = append(rows, []string{c.Kernels[i], k.Release, k.Packages[0].Name, k.Packages[0].Version, k.Packages[0].Suite, passed})
	}
	plainColumns(s.stdout, rows)
	return statusYes, nil
}

// labHost are the flags that say what a host is made of, beside its kernel and
// CPU.
type labHost struct {
	Arch     string        `default:"arm64" enum:"arm64,ppc64le" help:"Architecture: ${enum}."`
	Machine  string        `placeholder:"BOARD" help:"QEMU's board; virt on arm64, powernv10 on ppc64le unless given."`
	Option   []string      `placeholder:"KEY=VALUE" help:"Add or replace an option of the board: mte=on, gic-version=2."`
	Append   []string      `placeholder:"PARAMETER" sep:"none" help:"Add a kernel parameter: kvm-arm.mode=protected."`
	Module   []string      `placeholder:"NAME" help:"Load a module of the kernel's package, with what it needs."`
	Memory   int           `placeholder:"MIB" help:"Memory in MiB; 512 on arm64, 2048 on ppc64le unless given."`
	CPUs     int           `name:"cpu-count" placeholder:"N" help:"Number of CPUs; 1 unless given."`
	Checkout string        `type:"existingdir" placeholder:"DIR" help:"Checkout of guise to build the host's init from; the one this guise was built from unless given."`
	Limit    time.Duration `default:"2m" help:"Give a host up that does nothing for this long; waits for a CPU do not count."`
}

// checkKernel refuses what can be neither a version nor an image.
func checkKernel(kernel string) error {
	if !strings.Contains(kernel, "/") {
		if _, err := debian.ParseVersion(kernel); err != nil {
			return &inputError{&hintedError{err, "the path of an image has a slash in it: ./" + kernel}}
		}
		return nil
	}
	return checkFile(kernel)
}

// checkFile refuses what is no file.
func checkFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return &inputError{plainError(path, err)}
	}
	if !info.Mode().IsRegular() {
		return &inputError{fmt.Errorf("%s: not a file", path)}
	}
	return nil
}

func (c *labHost) host(kernel, cpu string) lab.Host {
	return lab.Host{
		Arch: c.Arch, Kernel: kernel, CPU: cpu, Machine: c.Machine, Options: c.Option, Append: c.Append,
		Modules: c.Module, Memory: c.Memory, CPUs: c.CPUs, Checkout: c.Checkout, Limit: c.Limit,
	}
}

// labJob are the flags and arguments that say what a host does.
type labJob struct {
	Program string   `placeholder:"FILE" help:"Run this program, built for the host, instead of guise."`
	In      []string `placeholder:"FILE" help:"Take a file into the host, at the same path; files the command names are taken without it."`
	Out     []string `placeholder:"FILE" help:"Bring a file back; what follows -o or --output in the command is brought back without it."`
	Args    []string `arg:"" passthrough:"" help:"The command to run, after --."`
}

// job makes the job: in the host it runs in a directory of the same name as
// here, so that paths mean the same on both sides.
func (c *labJob) job() (lab.Job, error) {
	directory, err := os.Getwd()
	if err != nil {
		return lab.Job{}, err
	}
	args := c.Args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 && c.Program == "" {
		return lab.Job{}, &inputError{&hintedError{errors.New("no command to run in the host"), "guise lab run --kernel 6.12 --cpu max -- version"}}
	}
	if c.Program != "" {
		if err := checkFile(c.Program); err != nil {
			return lab.Job{}, err
		}
	}
	inputs, outputs := namedFiles(args)
	job := lab.Job{Args: args, Program: c.Program, Directory: directory, Outputs: append(outputs, c.Out...)}
	inputs = append(inputs, c.In...)
	slices.Sort(inputs)
	for _, path := range slices.Compact(inputs) {
		file, err := readInput(path)
		if err != nil {
			return lab.Job{}, &inputError{err}
		}
		job.Files = append(job.Files, file)
	}
	return job, nil
}

// readInput reads a file that is taken into a host, with its permission bits.
func readInput(path string) (lab.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return lab.File{}, plainError(path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return lab.File{}, plainError(path, err)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return lab.File{}, plainError(path, err)
	}
	return lab.File{Path: path, Mode: uint32(info.Mode().Perm()), Content: content}, nil
}

// namedFiles finds in a command line the files it reads, which are those that
// exist here, and those it writes, which follow -o or --output.
func namedFiles(args []string) (inputs, outputs []string) {
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		switch {
		case (name == "-o" || name == "--output") && !joined && i+1 < len(args):
			if i++; args[i] != "-" { // standard output comes back without it
				outputs = append(outputs, args[i])
			}
		case (name == "-o" || name == "--output") && joined:
			outputs = append(outputs, value)
		default:
			if !joined || !strings.HasPrefix(name, "-") {
				value = args[i]
			}
			if info, err := os.Stat(value); err == nil && info.Mode().IsRegular() {
				inputs = append(inputs, value)
			}
		}
	}
	return inputs, outputs
}

type labRunCommand struct {
	Kernel string `required:"" placeholder:"VERSION|PATH" help:"Kernel: a version that was set up, or the path of any image."`
	CPU    string `name:"cpu" placeholder:"MODEL" help:"CPU model in QEMU's spelling; max on arm64 unless given."`
	labHost
	labJob
}

func (c *labRunCommand) Run(s *session) (int, error) {
	job, err := c.job()
	if err != nil {
		return 0, err
	}
	if err := checkKernel(c.Kernel); err != nil {
		return 0, err
	}
	for _, path := range job.Outputs {
		if err := atomicfile.Check(path); err != nil {
			return 0, err
		}
	}
	stdout, stderr := shown(s.stdout), shown(s.stderr)
	job.Stdout, job.Stderr = stdout, stderr
	s.tidy()
	result, err := lab.Run(s.ctx, c.host(c.Kernel, c.CPU), job)
	if err = errors.Join(err, stdout.Flush(), stderr.Flush()); err != nil {
		return 0, labError(err)
	}
	for _, file := range result.Files {
		if err := atomicfile.Write(file.Path, file.Content, 0o666); err != nil {
			return 0, err
		}
	}
	if result.Signal != 0 {
		return 0, fmt.Errorf("lab host %s: signal %d ended the command", c.host(c.Kernel, c.CPU).Name(), result.Signal)
	}
	return result.Status, nil
}

// shown is where a host's output goes: to a terminal with what a terminal would
// act on escaped, and as it is elsewhere.
func shown(w io.Writer) interface {
	io.Writer
	Flush() error
} {
	if isTerminal(w) {
		return plain.NewWriter(w)
	}
	return asItIs{w}
}

// asItIs hands on what is written to it.
type asItIs struct{ io.Writer }

func (asItIs) Flush() error { return nil }

// labError adds the command that mends what the lab lacks.
func labError(err error) error {
	var missing *lab.MissingError
	if errors.As(err, &missing) {
		return &hintedError{err, missing.Hint}
	}
	return err
}
