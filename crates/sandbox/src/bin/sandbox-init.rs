//! The sandbox helper alone, for this crate's tests; the product's binary is its own helper.

fn main() {
    sandbox::init_main_if_asked();
    eprintln!("this program only sets up sandboxes: run it as `sandbox-init sandbox-init`, with a plan on its socket");
    std::process::exit(2);
}
