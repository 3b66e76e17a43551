package lab

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// monitor is a client of QEMU's control socket (QMP, docs/interop/qmp-spec):
// one JSON object a line; replies come in the order of the commands, events in
// between. It is for one goroutine; closing the socket ends a call that waits.
type monitor struct {
	w      io.Writer
	lines  *bufio.Reader
	events []monitorEvent
}

// monitorEvent is something QEMU told without being asked.
type monitorEvent struct {
	name string
	data jsontext.Value
}

type monitorMessage struct {
	Return jsontext.Value `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event    string         `json:"event"`
	Data     jsontext.Value `json:"data"`
	Greeting jsontext.Value `json:"QMP"`
}

// openMonitor reads the greeting and enters command mode.
func openMonitor(stream io.ReadWriter) (*monitor, error) {
	m := &monitor{w: stream, lines: bufio.NewReader(stream)}
	greeting, err := m.read()
	if err != nil {
		return nil, err
	}
	if greeting.Greeting == nil {
		return nil, fmt.Errorf("QEMU's control socket: no greeting")
	}
	_, err = m.execute("qmp_capabilities", nil)
	return m, err
}

func (m *monitor) read() (monitorMessage, error) {
	var message monitorMessage
	line, err := m.lines.ReadBytes('\n')
	if err != nil {
		return message, err
	}
	if err := json.Unmarshal(line, &message); err != nil {
		return message, fmt.Errorf("QEMU's control socket: %w", err)
	}
	return message, nil
}

// execute runs a command and returns what it gave.
func (m *monitor) execute(command string, arguments map[string]any) (jsontext.Value, error) {
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := m.w.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	for {
		message, err := m.read()
		switch {
		case err != nil:
			return nil, err
		case message.Event != "":
			m.events = append(m.events, monitorEvent{message.Event, message.Data})
		case message.Error != nil:
			return nil, fmt.Errorf("QEMU: %s: %s", command, message.Error.Desc)
		default:
			return message.Return, nil
		}
	}
}

// wait returns the next event that has one of the names, from those that came
// since the last wait on.
func (m *monitor) wait(names ...string) (monitorEvent, error) {
	for {
		for len(m.events) > 0 {
			event := m.events[0]
			m.events = m.events[1:]
			if slices.Contains(names, event.name) {
				return event, nil
			}
		}
		message, err := m.read()
		if err != nil {
			return monitorEvent{}, err
		}
		if message.Event != "" {
			m.events = append(m.events, monitorEvent{message.Event, message.Data})
		}
	}
}

// waitMigration waits until a migration is over, and says how it failed.
func (m *monitor) waitMigration() error {
	for {
		event, err := m.wait("MIGRATION")
		if err != nil {
			return err
		}
		var data struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(event.data, &data); err != nil {
			return err
		}
		switch data.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			reply, err := m.execute("query-migrate", nil)
			if err != nil {
				return err
			}
			var why struct {
				Description string `json:"error-desc"`
			}
			if err := json.Unmarshal(reply, &why); err != nil {
				return err
			}
			return fmt.Errorf("QEMU: migration %s: %s", data.Status, why.Description)
		}
	}
}

// enableMigration sets what both sides of a snapshot need: events, and memory
// at fixed places of the file, which is read without looking for it.
func (m *monitor) enableMigration() error {
	capabilities := []map[string]any{
		{"capability": "events", "state": true},
		{"capability": "mapped-ram", "state": true},
	}
	_, err := m.execute("migrate-set-capabilities", map[string]any{"capabilities": capabilities})
	return err
}

// save stops the machine and writes its state to a file.
func (m *monitor) save(path string) error {
	if _, err := m.execute("stop", nil); err != nil {
		return err
	}
	if err := m.enableMigration(); err != nil {
		return err
	}
	// In bytes a second; QEMU's own limit is made for networks.
	if _, err := m.execute("migrate-set-parameters", map[string]any{"max-bandwidth": int64(1) << 40}); err != nil {
		return err
	}
	if _, err := m.execute("migrate", map[string]any{"uri": "file:" + path}); err != nil {
		return err
	}
	return m.waitMigration()
}

// resume lets a machine that was saved go on. QEMU tells that a migration is
// completed a moment before it lets go of it.
func (m *monitor) resume() error {
	for {
		reply, err := m.execute("query-status", nil)
		if err != nil {
			return err
		}
		var state struct {
			Status string `json:"status"`
		}
		if err := json.Unmarshal(reply, &state); err != nil {
			return err
		}
		if state.Status != "finish-migrate" {
			_, err := m.execute("cont", nil)
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// load reads the state of a machine started with -incoming defer and waits
// until it runs.
func (m *monitor) load(path string) error {
	if err := m.enableMigration(); err != nil {
		return err
	}
	if _, err := m.execute("migrate-incoming", map[string]any{"uri": "file:" + path}); err != nil {
		return err
	}
	if err := m.waitMigration(); err != nil {
		return err
	}
	_, err := m.execute("cont", nil)
	return err
}

// human runs a command of the human monitor and returns what it prints.
func (m *monitor) human(command string) (string, error) {
	reply, err := m.execute("human-monitor-command", map[string]any{"command-line": command})
	if err != nil {
		return "", err
	}
	var text string
	err = json.Unmarshal(reply, &text)
	return text, err
}
