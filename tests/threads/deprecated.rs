// The old names: see `../threads_pool.rs`.

#[test]
#[allow(deprecated)]
fn the_old_names_still_work() {
    if alone!("the_old_names_still_work") {
        let configuration = pool::Configuration::new()
            .num_threads(2)
            .thread_name(|index| format!("old {index}"))
            .panic_handler(|_| ())
            .stack_size(1 << 20)
            .breadth_first()
            .start_handler(|_| ())
            .exit_handler(|_| ());
        assert!(format!("{configuration:?}").contains("num_threads: 2"));
        let pool = ThreadPool::new(configuration)
            .map_err(|error| error.to_string())
            .unwrap();
        assert_eq!(pool.current_num_threads(), 2);
        drop(pool);
        let pool = pool::Configuration::new().num_threads(3).build();
        assert_eq!(
            pool.map_err(|error| error.to_string())
                .unwrap()
                .current_num_threads(),
            3
        );
        let first = pool::initialize(pool::Configuration::new().num_threads(4));
        assert!(first.is_ok());
        assert_eq!(pool::current_num_threads(), 4);
        assert!(pool::initialize(pool::Configuration::new()).is_err());
        let _ = ThreadPoolBuilder::new().breadth_first();
    }
}
