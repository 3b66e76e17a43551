package main

import (
	"fmt"
	"time"

	"github.com/guise-project/guise/vm"
)

// tryCommand puts many questions to this host, in one go.
type tryCommand struct {
	Questions string     `arg:"" placeholder:"QUESTIONS" help:"Contracts and single values to try, - for standard input."`
	Output    outputFile `short:"o" placeholder:"FILE" help:"Write the answers to a file; standard output unless given."`
	Device    string     `default:"/dev/kvm" help:"KVM's device."`
}

func (c *tryCommand) Run(s *session) (int, error) {
	data, err := s.reader.readFor(c.Questions, "a list of questions")
	if err != nil {
		return 0, err
	}
	questions, err := vm.ReadQuestions(c.Questions, data)
	if err != nil {
		return 0, &inputError{err}
	}
	host, err := openKVM(c.Device)
	if err != nil {
		return 0, err
	}
	defer host.Close()
	started := time.Now()
	answers := make([]vm.Answer, 0, len(questions))
	writes := 0
	for i := range questions {
		answer, err := vm.Try(s.ctx, host, &questions[i])
		if err != nil {
			return 0, hinted(fmt.Errorf("question %d: %w", i, err))
		}
		answers = append(answers, *answer)
		writes += len(answer.Writes)
	}
	elapsed := time.Since(started).Round(time.Millisecond)
	if data, err = vm.MarshalAnswers(host.String(), answers); err != nil {
		return 0, err
	}
	if err := s.writeDocument(c.Output, data); err != nil {
		return 0, err
	}
	fmt.Fprintf(s.stderr, "guise: %d questions with %d single values answered in %s\n", len(answers), writes, elapsed)
	return statusYes, nil
}
