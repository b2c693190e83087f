// Child processes for live tests: started with an input, ended by their pid, never left behind.
#ifndef GRID_TESTS_LIVE_PROCESS_H_
#define GRID_TESTS_LIVE_PROCESS_H_

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/temp_dir.h"

extern char** environ;

namespace grid::live {

class Process {
 public:
  using Clock = std::chrono::steady_clock;

  // Starts argv[0]; nothing can be read from its standard input but `input`. Check running().
  explicit Process(const std::vector<std::string>& argv, const std::string& input = "") {
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
      return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    std::vector<char*> arguments;
    for (const std::string& argument : argv)
      arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    if (posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) != 0)
      pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    out_fd_ = out[0];
    err_fd_ = err[0];
    // Inputs of tests fit in the pipe's buffer.
    [[maybe_unused]] const ssize_t written = write(in[1], input.data(), input.size());
    close(in[1]);
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Reap(0);
    }
    if (out_fd_ >= 0) close(out_fd_);
    if (err_fd_ >= 0) close(err_fd_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  void Signal(int signal) {
    if (pid_ > 0) kill(pid_, signal);
  }

  // Reads on until standard output, or error, holds `text`; false after `limit` or at the process's
  // end.
  bool WaitForOutput(const std::string& text, std::chrono::milliseconds limit) {
    return WaitFor(out_, text, limit);
  }
  bool WaitForStderr(const std::string& text, std::chrono::milliseconds limit) {
    return WaitFor(err_, text, limit);
  }

  // Its exit status, or 128 + signal; -1 when it still ran after `limit`, and was killed.
  int Wait(std::chrono::milliseconds limit) {
    const Clock::time_point end = Clock::now() + limit;
    while (ReadSome(end)) {
    }
    while (pid_ > 0 && Clock::now() < end) {
      Reap(WNOHANG);
      if (pid_ > 0) usleep(2000);
    }
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Reap(0);
      return -1;
    }
    return status_;
  }

  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  bool WaitFor(const std::string& in, const std::string& text, std::chrono::milliseconds limit) {
    const Clock::time_point end = Clock::now() + limit;
    while (in.find(text) == std::string::npos) {
      if (!ReadSome(end)) return false;
    }
    return true;
  }
  // False when both outputs are closed, or at `end`.
  bool ReadSome(Clock::time_point end) {
    pollfd fds[2] = {{.fd = out_fd_, .events = POLLIN, .revents = 0},
                     {.fd = err_fd_, .events = POLLIN, .revents = 0}};
    if (out_fd_ < 0 && err_fd_ < 0) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (left.count() <= 0 || poll(fds, 2, static_cast<int>(left.count())) <= 0) return false;
    if (fds[0].revents != 0) Drain(&out_fd_, &out_);
    if (fds[1].revents != 0) Drain(&err_fd_, &err_);
    return true;
  }
  static void Drain(int* fd, std::string* to) {
    char chunk[65536];
    const ssize_t size = read(*fd, chunk, sizeof(chunk));
    if (size > 0) {
      to->append(chunk, static_cast<size_t>(size));
      return;
    }
    close(*fd);
    *fd = -1;
  }
  void Reap(int options) {
    int status = 0;
    if (waitpid(pid_, &status, options) != pid_) return;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pid_ = -1;
  }

  pid_t pid_ = -1;
  int out_fd_ = -1;
  int err_fd_ = -1;
  int status_ = -1;
  std::string out_;
  std::string err_;
};

using test::TempDir;

}  // namespace grid::live

#endif  // GRID_TESTS_LIVE_PROCESS_H_
