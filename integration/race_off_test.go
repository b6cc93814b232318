//go:build !race

package integration

// raceDetector reports whether the tests, and so the hub's binary that they start, have the race detector.
const raceDetector = false
