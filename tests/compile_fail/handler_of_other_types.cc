// expect: a handler takes \(const Req&, RequestContext&\)
#include "handlers/single_handler.h"

void Register(grid::Registrar& registrar) {
  constexpr grid::SingleHandler<int, int> kHandler{grid::HandlerId{9}};
  (void)kHandler.Register(
      registrar, [](const std::string&, grid::RequestContext&) { return absl::StatusOr<int>(1); });
}
