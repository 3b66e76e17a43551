package channel

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

// Version is that of the messages; a guest of another version is refused.
const Version = 2

// PortName is the name of the virtio-serial port that carries the channel.
const PortName = "guise.lab"

// Hello is what the init says once it is ready.
type Hello struct {
	Version int    `json:"version"`
	Release string `json:"release"` // uname -r
	Machine string `json:"machine"` // uname -m
}

// Job is what the init is to run. Its files follow, then KindStart.
type Job struct {
	// Program is the path of the program in the guest; empty stands for the
	// guise binary that is the init itself.
	Program string   `json:"program,omitempty"`
	Args    []string `json:"args"`
	Env     []string `json:"env,omitempty"`
	// Time is the time of day, in nanoseconds since 1970 UTC: a restored
	// machine has the one it was saved with.
	Time int64 `json:"time"`
	// Directory is made and is the working directory of the job.
	Directory string `json:"directory"`
	// Outputs are paths whose files are sent back, where they exist.
	Outputs []string `json:"outputs,omitempty"`
}

// FileHeader names a file whose content follows.
type FileHeader struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
}

// End is how a job ended.
type End struct {
	// Status is the exit status; -1 where a signal ended the job.
	Status int `json:"status"`
	// Signal is the number of the signal that ended the job, or 0.
	Signal int `json:"signal,omitempty"`
	// OutOfMemory is true where the kernel killed the job for want of memory.
	OutOfMemory bool `json:"outOfMemory,omitempty"`
	// Error says why the job could not be run at all.
	Error string `json:"error,omitempty"`
}

// Send sends a message as JSON.
func Send(w *Writer, kind Kind, message any) error {
	payload, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return w.Write(kind, payload)
}

// Decode reads a message from a frame of the given kind.
func Decode(f Frame, kind Kind, message any) error {
	if f.Kind != kind {
		return fmt.Errorf("lab channel: a frame of kind %d where kind %d was expected", f.Kind, kind)
	}
	if err := json.Unmarshal(f.Payload, message); err != nil {
		return fmt.Errorf("lab channel: frame of kind %d: %w", kind, err)
	}
	return nil
}

// SendFile sends a file: its header, then its content in as many frames as it
// takes.
func SendFile(w *Writer, header FileHeader, content io.Reader) error {
	if err := Send(w, KindFile, header); err != nil {
		return err
	}
	return SendStream(w, KindFileData, content)
}

// SendStream sends all that can be read as frames of one kind, each as soon as
// there is something to send.
func SendStream(w *Writer, kind Kind, r io.Reader) error {
	buffer := make([]byte, MaxPayload)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			if err := w.Write(kind, buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
