//! The sandbox helper for this crate's tests and benches; the product's binary is its own helper.

fn main() {
    sandbox::init_main_if_asked();
    eprintln!("this program only sets up sandboxes for tests");
    std::process::exit(2);
}
