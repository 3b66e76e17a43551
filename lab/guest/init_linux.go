package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise/lab/channel"
)

// Init is the whole life of a lab host. It does not return: it powers the
// machine off, and where that fails it lets the kernel panic, which the host
// side reports with the console's last lines.
func Init() {
	err := live()
	if err != nil {
		fmt.Fprintf(os.Stderr, "guise lab: %v\n", err)
	}
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintf(os.Stderr, "guise lab: power off: %v\n", err)
	}
}

func live() error {
	if err := mountAll(linux{}, mounts); err != nil {
		return err
	}
	// The init must outlive a job that takes all memory.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0); err != nil {
		return err
	}
	if err := loadModules(ModuleDirectory); err != nil {
		return err
	}
	own, err := startWaiter("/proc/self/exe")
	if err != nil {
		return err
	}
	p, w, err := connect()
	if err != nil {
		return err
	}
	return serve(p, w, own)
}

// serve takes one job and answers it. Jobs of guise's own are run by the
// waiting child.
func serve(r io.Reader, w *channel.Writer, own *waiter) error {
	job, err := receive(r, w)
	if err != nil {
		// The host side learns why from the frame, not from the console.
		return channel.Send(w, channel.KindEnd, channel.End{Status: -1, Error: err.Error()})
	}
	end := runJob(job, w, own)
	for _, path := range job.Outputs {
		if err := sendOutput(w, job.Directory, path); err != nil {
			end.Error = err.Error()
		}
	}
	return channel.Send(w, channel.KindEnd, end)
}

// receive reads frames up to the start of the job. Files are written as they
// come.
func receive(r io.Reader, w *channel.Writer) (job channel.Job, err error) {
	var file *os.File
	defer func() {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	for {
		frame, err := channel.Read(r)
		if err != nil {
			return job, err
		}
		switch frame.Kind {
		case channel.KindSeed:
			err = wake(frame.Payload, w)
		case channel.KindJob:
			err = channel.Decode(frame, channel.KindJob, &job)
			if err == nil {
				err = errors.Join(setClock(job.Time), makeDirectories(&job))
			}
		case channel.KindFile:
			var header channel.FileHeader
			if err = channel.Decode(frame, channel.KindFile, &header); err != nil {
				break
			}
			if file != nil {
				if err = file.Close(); err != nil {
					break
				}
			}
			if err = os.MkdirAll(filepath.Dir(header.Path), 0o755); err == nil {
				file, err = os.OpenFile(header.Path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, os.FileMode(header.Mode).Perm())
			}
		case channel.KindFileData:
			if file == nil {
				return job, errors.New("content came before the name of its file")
			}
			_, err = file.Write(frame.Payload)
		case channel.KindStart:
			return job, nil
		default:
			err = fmt.Errorf("a frame of kind %d where a job was expected", frame.Kind)
		}
		if err != nil {
			return job, err
		}
	}
}

// makeDirectories makes what a job expects to be there: where it runs, and where
// it writes what is brought back.
func makeDirectories(job *channel.Job) error {
	err := os.MkdirAll(job.Directory, 0o755)
	for _, path := range job.Outputs {
		err = errors.Join(err, os.MkdirAll(filepath.Dir(within(job.Directory, path)), 0o755))
	}
	return err
}

// within gives the place of a path that is meant from a directory.
func within(directory, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(directory, path)
}

// wake makes a machine of its own of what may be a copy of one that was saved,
// and tells when that is done. What is told proves that its timers run: where
// they do not, the sleep has no end.
func wake(random []byte, w *channel.Writer) error {
	if err := errors.Join(wakeTimers(), seed(random)); err != nil {
		return err
	}
	time.Sleep(time.Millisecond)
	return w.Write(channel.KindReady, nil)
}

// startJob starts a child with the job, so that neither a crash nor an exit of
// it ends the init.
func startJob(job channel.Job, own *waiter) (*child, error) {
	if job.Program == "" {
		return own.child, own.give(job)
	}
	c, err := newChild(job.Program, job.Args)
	if err != nil {
		return nil, err
	}
	c.Dir = job.Directory
	c.Env = append(c.Env, job.Env...)
	return c, c.Start()
}

// runJob runs the job to its end. What it writes leaves as it is written: what
// a job said before it was killed or took the machine down is known.
func runJob(job channel.Job, w *channel.Writer, own *waiter) channel.End {
	killedBefore := oomKills()
	command, err := startJob(job, own)
	if err != nil {
		return channel.End{Status: -1, Error: err.Error()}
	}
	err = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", command.Process.Pid), []byte("0"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) {
		fmt.Fprintf(os.Stderr, "guise lab: %v\n", err)
	}
	var streams sync.WaitGroup
	var streamErrors [2]error
	streams.Go(func() { streamErrors[0] = channel.SendStream(w, channel.KindStdout, command.stdout) })
	streams.Go(func() { streamErrors[1] = channel.SendStream(w, channel.KindStderr, command.stderr) })
	streams.Wait()
	err = command.Wait()
	end := channel.End{Status: command.ProcessState.ExitCode()}
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		end.Signal = int(status.Signal())
		end.OutOfMemory = status.Signal() == syscall.SIGKILL && oomKills() > killedBefore
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		end.Error = err.Error()
	}
	if err := errors.Join(streamErrors[:]...); err != nil {
		end.Error = err.Error()
	}
	return end
}

// oomKills is how many processes the kernel has killed for want of memory.
func oomKills() int {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	return countOOMKills(string(text))
}

func countOOMKills(vmstat string) int {
	for line := range strings.Lines(vmstat) {
		if count, found := strings.CutPrefix(line, "oom_kill "); found {
			n, err := strconv.Atoi(strings.TrimSpace(count))
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// sendOutput sends a file the job was to write. One it did not write is left
// out: the job's own status says why.
func sendOutput(w *channel.Writer, directory, path string) error {
	f, err := os.Open(within(directory, path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return channel.SendFile(w, channel.FileHeader{Path: path, Mode: uint32(info.Mode().Perm())}, f)
}
