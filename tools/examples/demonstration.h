// What the examples need to show something, and to notice when it does not hold: conditions that
// are required or waited for, addresses of their own, and child processes.
#ifndef GRID_TOOLS_EXAMPLES_DEMONSTRATION_H_
#define GRID_TOOLS_EXAMPLES_DEMONSTRATION_H_

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace demonstration {

inline void Require(bool holds, const std::string& otherwise) {
  if (!holds) throw std::runtime_error(otherwise);
}

// What `program` exits with: 0, or 1 when `demonstrate` has thrown, as Require does; says why.
inline int Run(const std::string& program, const std::function<void()>& demonstrate) {
  try {
    demonstrate();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << program << ": " << error.what() << "\n";
    return 1;
  }
}

// False when `holds` has not come true for so long that it won't, also on a slow machine.
inline bool WaitUntil(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Names of members, on a loopback network of our own: others may do the same beside us.
inline std::vector<std::string> LoopbackNames(size_t count, int port) {
  const int id = getpid() % (250 * 250);
  std::vector<std::string> names;
  for (size_t i = 1; i <= count; ++i) {
    names.push_back("http://127." + std::to_string(id / 250 + 1) + "." +
                    std::to_string(id % 250 + 1) + "." + std::to_string(i) + ":" +
                    std::to_string(port));
  }
  return names;
}

// This program in a process of its own, which does not outlive the object, nor us.
class Process {
 public:
  Process() = default;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() { Kill(); }

  // `arguments`: its argv, with the name of the program.
  void Start(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    Require(pid_ >= 0, "fork failed");
    if (pid_ > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close_range(3, ~0U, 0);  // our sockets are not its
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  // Without warning.
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
  // True when it ends by itself, and well.
  bool Terminate() {
    kill(pid_, SIGTERM);
    int status = 0;
    if (!WaitUntil([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) return false;
    pid_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace demonstration

#endif  // GRID_TOOLS_EXAMPLES_DEMONSTRATION_H_
