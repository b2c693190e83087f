#include "grid/runtime/io_loop.h"

#include <algorithm>

namespace grid {

IoLoops::IoLoops(int threads) {
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
    absl::MutexLock lock(&mutex_);
    running_ = true;
  }
  for (auto& io : owned_) {
    guards_.push_back(asio::make_work_guard(*io));
    threads_.emplace_back([io = io.get()] { io->run(); });
  }
}

void IoLoops::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    if (!running_) return;
    running_ = false;
  }
  guards_.clear();
  for (auto& io : owned_) io->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  // Completions that were posted in the last moment.
  for (auto& io : owned_) {
    io->restart();
    io->poll();
  }
}

bool IoLoops::RunningHere() const {
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
