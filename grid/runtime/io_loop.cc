#include "grid/runtime/io_loop.h"

#include <algorithm>
#include <mutex>

#include "grid/runtime/poll_loop.h"

namespace grid {

IoLoops::IoLoops(int threads, std::chrono::microseconds poll_budget) : poll_budget_(poll_budget) {
  for (int i = 0; i < threads; ++i) {
    // One thread runs each: the hint makes the io_context skip wake-ups it would need for more.
    owned_.push_back(std::make_unique<asio::io_context>(1));
    loops_.push_back(std::make_unique<IoLoop>(*owned_.back(), static_cast<size_t>(i)));
  }
}

IoLoops::IoLoops(const std::vector<asio::io_context*>& external) {
  for (asio::io_context* io : external) {
    loops_.push_back(std::make_unique<IoLoop>(*io, loops_.size()));
  }
}

IoLoops::~IoLoops() { Stop(); }

void IoLoops::Start() {
  {
    std::lock_guard lock(mutex_);
    running_ = true;
  }
  for (auto& io : owned_) {
    guards_.push_back(asio::make_work_guard(*io));
    threads_.emplace_back([this, io = io.get()] { RunPolling(*io, poll_budget_); });
  }
}

void IoLoops::Stop() {
  {
    std::lock_guard lock(mutex_);
    if (!running_) return;
    running_ = false;
  }
  guards_.clear();
  for (auto& io : owned_) io->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // Completions that were posted in the last moment; they may post to each other's loops.
  size_t ran;
  do {
    ran = 0;
    for (auto& io : owned_) {
      io->restart();
      ran += io->poll();
    }
  } while (ran > 0);
}

bool IoLoops::RunningHere() const {
  if (owned_.empty()) {
    // The host program's may be gone once we have stopped.
    std::shared_lock lock(mutex_);
    if (!running_) return false;
  }
  return std::any_of(loops_.begin(), loops_.end(),
                     [](const auto& loop) { return loop->RunningHere(); });
}

std::vector<asio::io_context*> IoLoops::contexts() const {
  std::vector<asio::io_context*> ios;
  ios.reserve(loops_.size());
  for (const auto& loop : loops_) ios.push_back(&loop->io());
  return ios;
}

}  // namespace grid
